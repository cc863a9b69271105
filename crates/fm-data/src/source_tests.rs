use super::*;

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
    let fashion = DatasetName::FashionMnist;
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
    let error = locate(&DatasetName::FashionMnist, &places).unwrap_err();
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
    let error = locate(&DatasetName::Mnist, &Places { usual, ..Places::default() }).unwrap_err();
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
    let found = locate(&DatasetName::Mnist, &Places { usual, ..Places::default() }).unwrap();
    assert_eq!(found.files, ALL.map(|name| whole.join(name)));
    let passed: Vec<_> = found.passed_over.iter().map(|looked| &looked.dir).collect();
    assert_eq!(passed, [&half]);
}
