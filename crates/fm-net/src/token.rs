//! One token of an architecture string: `3x16R3.s2` taken apart and checked.

use crate::error::ArchError;
use crate::item::{DENSE, FORMS, Form, Item, Kind, Norm, Opt};
use crate::limits::{MAX_COUNT, MAX_EXPAND, MAX_ITEMS};
use crate::op::Activation;

/// A token, where it starts, and on which side of the cut it stands.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) text: &'a str,
    pub(crate) at: usize,
    pub(crate) head: bool,
}

impl Piece<'_> {
    /// An error about the whole token.
    pub(crate) fn error(self, message: impl Into<String>) -> ArchError {
        ArchError::new(self.at..self.at + self.text.len(), message)
    }

    /// An error about a part of the token's text.
    fn part(self, part: &str, message: impl Into<String>) -> ArchError {
        // Parts are slices of the text; the place of one is the distance of their starts.
        let start = self.at + (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        ArchError::new(start..start + part.len(), message)
    }
}

/// A token's pieces: `times` x `filters` `letters` `number` . `options`.
pub(crate) struct Parts<'a> {
    pub(crate) times: usize,
    pub(crate) filters: Option<usize>,
    pub(crate) letters: &'a str,
    pub(crate) number: Option<usize>,
    options: Option<&'a str>,
}

/// A decimal number of at most nine digits.
pub(crate) fn number(digits: &str) -> Option<usize> {
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.bytes().fold(0, |n, b| 10 * n + usize::from(b - b'0')))
}

/// Splits off what `keep` accepts at the start.
fn take(text: &str, keep: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().take_while(|b| keep(*b)).count())
}

/// A number within 1 to `max`, none where there are no digits.
fn counted(piece: Piece, digits: &str, what: &str, max: usize) -> Result<Option<usize>, ArchError> {
    if digits.is_empty() {
        return Ok(None);
    }
    match number(digits) {
        Some(n) if (1..=max).contains(&n) => Ok(Some(n)),
        _ => Err(piece.part(digits, format!("{what} must be from 1 to {max}, got {digits}"))),
    }
}

/// Takes a token apart.
pub(crate) fn split(piece: Piece) -> Result<Parts, ArchError> {
    if piece.text.is_empty() {
        let message = if piece.head {
            "a layer is missing after a dash"
        } else {
            "a layer is missing before or after a dash"
        };
        let help = "dashes stand between layers, two of them once between encoder and head, 32C3-MP2--128";
        return Err(piece.error(message).help(help));
    }
    if let Some((i, c)) = piece.text.char_indices().find(|(_, c)| !c.is_ascii_alphanumeric() && *c != '.') {
        let message = format!("unexpected {c:?} in '{}'", piece.text);
        let help = "layers are letters and digits, options follow after dots, 32C3.same.bn";
        return Err(piece.part(&piece.text[i..i + c.len_utf8()], message).help(help));
    }
    let (body, options) = piece.text.split_once('.').map_or((piece.text, None), |(b, o)| (b, Some(o)));
    let (digits, rest) = take(body, |b| b.is_ascii_digit());
    let (times, digits, rest) = match rest.strip_prefix(['x', 'X']) {
        Some(rest) if !digits.is_empty() => {
            if piece.head {
                let help = "write the layers one by one";
                return Err(piece.error(format!("'{}': the head takes no repeats", piece.text)).help(help));
            }
            let times = counted(piece, digits, "a repeat", MAX_ITEMS)?.unwrap_or(1);
            let (digits, rest) = take(rest, |b| b.is_ascii_digit());
            (times, digits, rest)
        }
        _ => (1, digits, rest),
    };
    let (letters, last) = take(rest, |b| b.is_ascii_alphabetic());
    if last.bytes().any(|b| !b.is_ascii_digit()) {
        let error = piece.error(format!("'{}' is not one layer", piece.text));
        return Err(error.help("dashes stand between layers, 32C3-MP2"));
    }
    Ok(Parts {
        times,
        filters: counted(piece, digits, "filters and units", MAX_COUNT)?,
        letters,
        number: counted(piece, last, "a number", MAX_COUNT)?,
        options,
    })
}

/// The canonical text of an operator from outside.
pub(crate) fn plain(parts: &Parts, piece: Piece) -> Result<String, ArchError> {
    let name = parts.letters.to_ascii_uppercase();
    match (parts.filters, parts.number, parts.options) {
        (None, Some(number), None) => Ok(format!("{name}{number}")),
        _ => Err(piece
            .error(format!("'{}' is not {name} and a number", piece.text))
            .help(format!("such as {name}2"))),
    }
}

/// A dense layer.
pub(crate) fn dense(parts: &Parts, piece: Piece) -> Result<Item, ArchError> {
    let text = piece.text;
    if !piece.head {
        let help = format!("dense layers stand after two dashes, 32C3-MP2--{text}; a convolution is 32C3");
        return Err(piece.error(format!("'{text}' is not a layer of the encoder")).help(help));
    }
    match (parts.filters, parts.number) {
        (Some(units), None) => {
            let mut item = Item::new(Kind::Dense, units, 0);
            options(&mut item, parts, piece, DENSE, "a dense layer")?;
            Ok(item)
        }
        _ => Err(piece.error(format!("'{text}' has no units")).help("such as 128")),
    }
}

/// The error for letters that nothing is known of.
pub(crate) fn unknown<'a>(piece: Piece, extra: impl Iterator<Item = &'a str>) -> ArchError {
    let error = piece.error(format!("unknown layer '{}'", piece.text));
    if piece.head {
        return error.help("the head takes dense layers, 128, and dropout, D30");
    }
    let known: Vec<&str> = FORMS.iter().map(|form| form.token).chain(extra).collect();
    error.help(format!("known are {}; a convolution is 32C3, a pool MP2", known.join(", ")))
}

/// A layer or block with a token of its own.
pub(crate) fn item(form: &Form, parts: &Parts, piece: Piece) -> Result<Item, ArchError> {
    let text = piece.text;
    if piece.head && form.kind != Kind::Dropout {
        let error = piece.error(format!("'{text}' cannot stand in the head"));
        return Err(error.help(
            "the head takes dense layers, 128, and dropout, D30; the rest stands before the two dashes",
        ));
    }
    let such = || format!("such as {}", form.example());
    let filters = match (form.filters, parts.filters) {
        (true, Some(filters)) => filters,
        (true, None) => return Err(piece.error(format!("'{text}' has no number of filters")).help(such())),
        (false, Some(_)) => {
            return Err(piece.error(format!("{} takes no filters, got '{text}'", form.token)).help(such()));
        }
        (false, None) => 0,
    };
    let number = match (form.number, parts.number) {
        (Some(_), Some(number)) => number,
        (Some(what), None) => return Err(piece.error(format!("'{text}' has no {what}")).help(such())),
        (None, Some(_)) => {
            return Err(piece.error(format!("{} takes no number, got '{text}'", form.token)).help(such()));
        }
        (None, None) => 0,
    };
    if form.number == Some("percent") && number > 99 {
        return Err(piece.error(format!("dropout is from 1 to 99 percent, got {number}")).help(such()));
    }
    let mut item = Item::new(form.kind.clone(), filters, number);
    options(&mut item, parts, piece, form.options, form.token)?;
    if number == 1 && matches!(form.kind, Kind::Conv | Kind::Depthwise) {
        // Nothing to pad: the same architecture as without.
        item.same = false;
    }
    if item.same && number % 2 == 0 {
        let error = piece.error(format!("'{text}' pads as much on every side, which needs an odd kernel"));
        return Err(error.help(format!("use {} or {}", number - 1, number + 1)));
    }
    if item.pre && item.norm.is_none() && item.activation.is_none() {
        let error = piece.error(format!("'{text}' has nothing that could come before the convolution"));
        return Err(error.help("leave pre out, or add bn"));
    }
    Ok(item)
}

/// Reads the options into `item`.
fn options(
    item: &mut Item,
    parts: &Parts,
    piece: Piece,
    allowed: &[Opt],
    what: &str,
) -> Result<(), ArchError> {
    let mut given: Vec<Opt> = Vec::new();
    for text in parts.options.into_iter().flat_map(|options| options.split('.')) {
        let (name, digits) = take(text, |b| b.is_ascii_alphabetic());
        let found = Opt::ALL.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(name));
        let list = || allowed_list(allowed, what);
        let Some(&(opt, name, numbered)) = found else {
            let error = if text.is_empty() {
                piece.error(format!("'{}' has a dot without an option", piece.text))
            } else {
                piece.part(text, format!("unknown option '{text}'"))
            };
            return Err(error.help(list()));
        };
        if !allowed.contains(&opt) {
            return Err(piece.part(text, format!("{what} takes no option '{name}'")).help(list()));
        }
        if given.iter().any(|&other| clash(other, opt)) {
            let message = format!("'{text}' is given a second time or contradicts an option before it");
            return Err(piece.part(text, message).help("leave one of them out"));
        }
        given.push(opt);
        let max = if opt == Opt::Expand { MAX_EXPAND } else { MAX_COUNT };
        let n = match (numbered, number(digits)) {
            (true, Some(n)) if (1..=max).contains(&n) => n,
            (false, None) if digits.is_empty() => 0,
            (true, _) => {
                let message = format!("'{name}' needs a number from 1 to {max}, got '{digits}'");
                return Err(piece.part(text, message).help(format!("such as {name}2")));
            }
            (false, _) => {
                return Err(piece
                    .part(text, format!("'{name}' takes no number, got '{text}'"))
                    .help(format!("write {name}")));
            }
        };
        set(item, opt, n);
    }
    Ok(())
}

/// Whether two options say something about the same thing.
fn clash(a: Opt, b: Opt) -> bool {
    let group = |opt| match opt {
        Opt::Bn | Opt::Gn => Opt::Bn,
        Opt::Relu | Opt::Gelu | Opt::Silu | Opt::Linear => Opt::Relu,
        other => other,
    };
    group(a) == group(b)
}

fn set(item: &mut Item, opt: Opt, n: usize) {
    match opt {
        Opt::Same => item.same = true,
        Opt::Bn => item.norm = Some(Norm::Batch),
        Opt::Gn => item.norm = Some(Norm::Group(n)),
        Opt::Ws => item.standardised = true,
        Opt::Stride => item.stride = n,
        Opt::Groups => item.groups = n,
        Opt::Expand => item.expand = n,
        Opt::Squeeze => item.squeeze = Some(n),
        Opt::Pre => item.pre = true,
        Opt::Relu => item.activation = Some(Activation::Relu),
        Opt::Gelu => item.activation = Some(Activation::Gelu),
        Opt::Silu => item.activation = Some(Activation::Silu),
        Opt::Linear => item.activation = None,
    }
}

/// `C takes same, bn, gnN`.
fn allowed_list(allowed: &[Opt], what: &str) -> String {
    let names: Vec<String> = Opt::ALL
        .iter()
        .filter(|(opt, ..)| allowed.contains(opt))
        .map(|(_, name, numbered)| format!("{name}{}", if *numbered { "N" } else { "" }))
        .collect();
    if names.is_empty() {
        format!("{what} takes no options")
    } else {
        format!("{what} takes {}", names.join(", "))
    }
}
