//! A format that this crate does not know.

use fm_images::{
    Content, DatasetName, FORMATS, FileSpec, Format, Half, ImageShape, Input, Malformed, Part, Places,
    ReadError, Role, Verify,
};

use crate::made::Place;

/// Images of one pixel: a line of text with a letter and a digit each.
#[derive(Debug)]
struct Lines;

static FILES: [FileSpec; 3] = [
    FileSpec { name: "a.txt", role: Role::Records(Half::Train) },
    FileSpec { name: "b.txt", role: Role::Records(Half::Train) },
    FileSpec { name: "test.txt", role: Role::Records(Half::Test) },
];

impl Format for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn a_file(&self) -> &'static str {
        "a file of lines"
    }

    fn files(&self) -> &[FileSpec] {
        &FILES
    }

    fn read(&self, _: &FileSpec, input: Input<'_>) -> Result<Part, ReadError> {
        let read = input.bytes(1000)?;
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for line in read.data.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            let [letter, digit @ b'0'..=b'9'] = line else {
                return Err(Malformed::new("not a letter and a digit").help("write A0").into());
            };
            pixels.push(*letter);
            labels.push(digit - b'0');
        }
        let shape = ImageShape { channels: 1, height: 1, width: 1 };
        Ok(Part { content: Content::Records { pixels, shape, labels }, sha256: read.sha256 })
    }
}

#[test]
fn a_format_of_another_crate_is_found_read_and_checked() {
    let place = Place::empty();
    place.put("a.txt", b"A0\nB1\n");
    place.put("b.txt", b"C1");
    place.put("test.txt", b"D0");
    let name = DatasetName::Dir(place.dir().to_owned());
    let places = Places::of(&name, None);
    let mine: Vec<&'static dyn Format> = FORMATS.iter().copied().chain([&Lines as &dyn Format]).collect();
    let load = || fm_images::load(&name, &places, &mine, Verify::Warn);

    let data = load().unwrap();
    assert_eq!((&data.train.images[..], &data.train.labels[..]), (&b"ABC"[..], &[0, 1, 1][..]));
    assert_eq!((data.class_names.len(), data.files.len()), (2, 3));
    // Without it, nobody knows such files.
    assert!(fm_images::load(&name, &places, FORMATS, Verify::Warn).is_err());

    place.put("b.txt", b"C1\nwhat");
    let error = load().unwrap_err();
    let path = place.path("b.txt");
    assert_eq!(error.to_string(), format!("{}: not a letter and a digit", path.display()));
    assert_eq!(error.help(), ["write A0"]);
    place.put("b.txt", &[b'\n'; 1001]);
    assert!(load().unwrap_err().to_string().ends_with("more than 1,000 bytes, which is the limit"));
}
