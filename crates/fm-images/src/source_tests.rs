use super::*;
use crate::formats::FORMATS;

fn touch(dir: &Path, names: &[&str]) {
    fs::create_dir_all(dir).unwrap();
    for name in names {
        drop(fs::File::options().create(true).append(true).open(dir.join(name)).unwrap());
    }
}

const ALL: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte",
];

#[test]
fn the_order_of_places() {
    let of = |set: &DatasetName, data_dir: Option<&str>, variable: Option<&str>| {
        Places::from_parts(
            set,
            data_dir.map(Path::new),
            variable.map(PathBuf::from),
            Some("/home/u/.cache".into()),
        )
    };
    let own = DatasetName::Dir("own".into());
    let fashion = DatasetName::FASHION_MNIST;
    let named = |set, data_dir, variable| of(set, data_dir, variable).named;
    assert_eq!(named(&fashion, Some("/a"), Some("/b")), Some("/a".into()));
    assert_eq!(named(&fashion, None, Some("/b")), Some("/b".into()));
    assert_eq!(named(&own, None, Some("/b")), Some("own".into()));
    let places = of(&fashion, None, None);
    assert_eq!(places.named, None);
    assert_eq!(
        places.usual,
        ["data/fashion-mnist", "/home/u/.cache/fm-exp/fashion-mnist", "/usr/share/datasets/fashion-mnist"]
            .map(PathBuf::from)
    );
    assert_eq!(places.cache.as_deref(), Some(Path::new("/home/u/.cache/fm-exp/fashion-mnist")));
}

#[test]
fn a_named_place_that_lacks_files_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    touch(temp.path(), &ALL[1..3]);
    let places = Places { named: Some(temp.path().to_owned()), ..Places::default() };
    let error = locate(&DatasetName::FASHION_MNIST, &places, FORMATS).unwrap_err();
    assert_eq!(error.to_string(), "cannot find train-images-idx3-ubyte[.gz], t10k-labels-idx1-ubyte[.gz]");
    let dir = temp.path().display();
    let lacks = "lacks train-images-idx3-ubyte, t10k-labels-idx1-ubyte";
    assert_eq!(error.notes(), [format!("looked in {dir}: {lacks}")]);
    assert!(error.help().iter().any(|h| h.contains("dataset-fashion-mnist")));
}

#[test]
fn every_place_looked_in_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let (empty, absent) = (temp.path().join("empty"), temp.path().join("absent"));
    fs::create_dir(&empty).unwrap();
    let usual = vec![empty.clone(), absent.clone()];
    let error = locate(&DatasetName::MNIST, &Places { usual, ..Places::default() }, FORMATS).unwrap_err();
    assert_eq!(
        error.notes(),
        [
            format!("looked in {}: none of the four files", empty.display()),
            format!("looked in {}: no such directory", absent.display())
        ]
    );
    assert!(error.to_string().starts_with("cannot find train-images-idx3-ubyte[.gz], train-labels"));
}

#[test]
fn the_first_whole_place_wins_and_half_ones_are_reported() {
    let temp = tempfile::tempdir().unwrap();
    let [empty, half, whole, later] = ["empty", "half", "whole", "later"].map(|name| temp.path().join(name));
    fs::create_dir(&empty).unwrap();
    touch(&half, &ALL[..3]);
    touch(&whole, &ALL);
    // Plain wins over gzip.
    touch(&whole, &["train-images-idx3-ubyte.gz"]);
    touch(&later, &ALL);
    let usual = vec![empty, half.clone(), whole.clone(), later];
    let found = locate(&DatasetName::MNIST, &Places { usual, ..Places::default() }, FORMATS).unwrap();
    assert_eq!(found.files, ALL.map(|name| whole.join(name)));
    let passed: Vec<_> = found.passed_over.iter().map(|looked| &looked.dir).collect();
    assert_eq!(passed, [&half]);
}

/// What `locate` says of a directory that was named as the data set.
fn locate_dir(dir: &Path) -> Result<Located, DataError> {
    let set = DatasetName::Dir(dir.to_owned());
    locate(&set, &Places::of(&set, None), FORMATS)
}

#[test]
fn a_directory_s_files_say_its_format() {
    let cifar: Vec<&str> = crate::formats::CIFAR_10.files().iter().map(|file| file.name).collect();
    let temp = tempfile::tempdir().unwrap();
    // In the folder that the archive has, too.
    for inner in ["", "cifar-10-batches-bin"] {
        let dir = temp.path().join(format!("of{inner}"));
        touch(&dir.join(inner), &cifar);
        let found = locate_dir(&dir).unwrap();
        assert_eq!((found.format.name(), found.dir), ("CIFAR-10 binary", dir.join(inner)));
        assert_eq!(found.files.len(), 7);
    }
    let part = temp.path().join("part");
    touch(&part, &cifar[1..]);
    assert_eq!(locate_dir(&part).unwrap_err().to_string(), "cannot find data_batch_1.bin[.gz]");
    let empty = temp.path().join("empty");
    touch(&empty, &[]);
    let error = locate_dir(&empty).unwrap_err();
    assert!(error.to_string().starts_with("cannot find train-images-idx3-ubyte[.gz], "), "{error}");
    assert!(error.notes()[0].ends_with("none of the four files"), "{:?}", error.notes());
}

#[test]
fn a_directory_of_several_data_sets_must_be_named() {
    let temp = tempfile::tempdir().unwrap();
    for split in ["letters", "digits"] {
        let names = ["train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1"];
        let names = names.map(|name| format!("emnist-{split}-{name}-ubyte.gz"));
        touch(&temp.path().join("gzip"), &names.each_ref().map(String::as_str));
    }
    let error = locate_dir(temp.path()).unwrap_err();
    let dir = temp.path().display();
    assert_eq!(error.to_string(), format!("{dir} holds several data sets: EMNIST letters, EMNIST digits"));
    let set = "emnist-digits".parse::<DatasetName>().unwrap();
    let found = locate(&set, &Places::of(&set, Some(temp.path())), FORMATS).unwrap();
    assert_eq!(found.dir, temp.path().join("gzip"));
}

#[test]
fn emnist_s_six_have_one_folder_and_say_where_to_get_it() {
    let set = "emnist-balanced".parse::<DatasetName>().unwrap();
    let places = Places::from_parts(&set, None, None, None);
    assert_eq!(places.usual[0], Path::new("data/emnist"));
    let nowhere = Places { named: Some("/nowhere".into()), ..Places::default() };
    let error = locate(&set, &nowhere, FORMATS).unwrap_err();
    assert!(error.to_string().starts_with("cannot find emnist-balanced-train-images-idx3-ubyte[.gz], "));
    let help = error.help().join("\n");
    for piece in
        ["535 MB", "https://biometrics.nist.gov/", "emnist-balanced-*.gz into data/emnist", "four files"]
    {
        assert!(help.contains(piece), "{help}");
    }
}
