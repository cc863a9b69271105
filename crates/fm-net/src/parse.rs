//! From a string to an [`Arch`].

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::arch::{ALIASES, Arch, MAX_CHANNELS, MAX_SIDE, USUAL_SIZE, alias_body};
use crate::error::ArchError;
use crate::graph::Network;
use crate::item::{FORMS, Item, Kind, Token};
use crate::limits::{MAX_ITEMS, MAX_TEXT};
use crate::op::Operator;
use crate::token::{self, Piece};

/// Makes an operator from the number after its prefix, or says why not.
type Make = dyn Fn(usize) -> Result<Arc<dyn Operator>, String> + Send + Sync;

/// The notation, and operators that others have added to it.
///
/// An added operator is written as its prefix and a number, `MYOP7`, before or after the cut, and takes no options.
#[derive(Clone, Default)]
pub struct Notation {
    extra: Vec<(String, Arc<Make>)>,
}

impl fmt::Debug for Notation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.extra.iter().map(|(prefix, _)| prefix)).finish()
    }
}

/// Items with where each stands; repeats share a place.
type Spanned = Vec<(Item, Range<usize>)>;

impl Notation {
    /// The notation of [`crate::arch`], nothing added.
    #[must_use]
    pub fn standard() -> Self {
        Self::default()
    }

    /// Adds an operator: `prefix` and a number stand for what `make` gives for the number.
    ///
    /// # Errors
    /// When the prefix is taken, or is not letters alone, or starts with the `x` of repeats.
    pub fn with(
        mut self,
        prefix: &str,
        make: impl Fn(usize) -> Result<Arc<dyn Operator>, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let prefix = prefix.to_ascii_uppercase();
        if prefix.is_empty() || prefix.starts_with('X') || !prefix.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(format!("'{prefix}' cannot be an operator's prefix: use letters, the first not X"));
        }
        let known =
            FORMS.iter().map(|form| form.token).chain(self.extra.iter().map(|(name, _)| name.as_str()));
        if known.into_iter().any(|name| name == prefix) {
            return Err(format!("the notation has {prefix} already: choose another prefix"));
        }
        self.extra.push((prefix, Arc::new(make)));
        Ok(self)
    }

    /// Parses `text` and checks that its layers fit its image size.
    ///
    /// # Errors
    /// With the place of the first piece at fault, what is wrong with it and what would do.
    pub fn parse(&self, text: &str) -> Result<Arch, ArchError> {
        if text.len() > MAX_TEXT {
            let message =
                format!("an architecture has at most {MAX_TEXT} characters, this has {}", text.len());
            return Err(ArchError::new(0..text.len(), message));
        }
        let (name, size) = text.split_once('@').map_or((text, None), |(name, size)| (name, Some(size)));
        let at = name.len() + 1;
        if let Some((alias, body)) = alias_body(name) {
            let [height, width, channels] = size.map_or(Ok(USUAL_SIZE), |size| parse_size(size, at))?;
            let arch = Arch { spatial: body.0.clone(), head: body.1.clone(), height, width, channels };
            return match Network::new(&arch, 1) {
                Ok(_) => Ok(arch),
                Err(_) => Err(alias_size(alias, &arch, at..text.len())),
            };
        }
        let (spatial, head) = self.items(name)?;
        let [height, width, channels] = match size {
            None => USUAL_SIZE,
            Some(size) => in_range(parse_size(size, at)?, at..text.len())?,
        };
        let spans: Vec<Range<usize>> = spatial.iter().chain(&head).map(|(_, span)| span.clone()).collect();
        let bare = |items: Spanned| items.into_iter().map(|(item, _)| item).collect();
        let arch = Arch { spatial: bare(spatial), head: bare(head), height, width, channels };
        match Network::new(&arch, 1) {
            Ok(_) => Ok(arch),
            Err(e) => Err(ArchError::new(spans.get(e.item).cloned().unwrap_or(0..name.len()), e.message)),
        }
    }

    /// The items of a string without size, not checked against any.
    pub(crate) fn body(&self, layers: &str) -> Result<(Vec<Item>, Vec<Item>), ArchError> {
        let (spatial, head) = self.items(layers)?;
        let bare = |items: Spanned| items.into_iter().map(|(item, _)| item).collect();
        Ok((bare(spatial), bare(head)))
    }

    fn items(&self, name: &str) -> Result<(Spanned, Spanned), ArchError> {
        if name.is_empty() {
            return Err(unknown_arch(name, &ArchError::new(0..0, "")));
        }
        let (spatial, head) = match name.split_once("--") {
            Some((spatial, head)) => (spatial, Some((head, spatial.len() + 2))),
            None => (name, None),
        };
        let items = self.section(spatial, 0, false).map_err(|error| match error {
            Failure::UnknownFirst(error) if !spatial.contains('-') || is_word(spatial) => {
                unknown_arch(name, &error)
            }
            other => other.error(),
        })?;
        let head = match head {
            Some((head, at)) => self.section(head, at, true).map_err(Failure::error)?,
            None => Vec::new(),
        };
        if items.len() + head.len() > MAX_ITEMS {
            let message = format!(
                "an architecture has at most {MAX_ITEMS} layers, this has {}",
                items.len() + head.len()
            );
            return Err(ArchError::new(0..name.len(), message));
        }
        Ok((items, head))
    }

    /// The items of one side of the cut; `at` is where `text` starts.
    fn section(&self, text: &str, mut at: usize, head: bool) -> Result<Spanned, Failure> {
        let mut items = Spanned::new();
        for token in text.split('-') {
            let span = at..at + token.len();
            let piece = Piece { text: token, at, head };
            let (times, item) = self.item(piece).map_err(|(error, unknown)| {
                if unknown && items.is_empty() && !head {
                    Failure::UnknownFirst(error)
                } else {
                    Failure::Other(error)
                }
            })?;
            let next = item.repeated();
            items.push((item, span.clone()));
            items.extend((1..times).map(|_| (next.clone(), span.clone())));
            if items.len() > MAX_ITEMS {
                let message = format!("an architecture has at most {MAX_ITEMS} layers");
                return Err(Failure::Other(ArchError::new(span, message)));
            }
            at += token.len() + 1;
        }
        Ok(items)
    }

    /// One token: how often, and what. The flag of an error says that nothing is known under this name.
    fn item(&self, piece: Piece) -> Result<(usize, Item), (ArchError, bool)> {
        let known = |error| (error, false);
        let word = !piece.text.is_empty() && !piece.text.bytes().any(|b| b.is_ascii_digit());
        let parts = token::split(piece).map_err(|error| (error, word))?;
        if let Some((_, make)) =
            self.extra.iter().find(|(prefix, _)| prefix.eq_ignore_ascii_case(parts.letters))
        {
            let text = token::plain(&parts, piece).map_err(known)?;
            let op =
                make(parts.number.unwrap_or(0)).map_err(|e| known(piece.error(format!("{text}: {e}"))))?;
            return Ok((parts.times, Item::new(Kind::Custom(Token { text, op }), 0, 0)));
        }
        if parts.letters.is_empty() {
            return token::dense(&parts, piece).map(|item| (parts.times, item)).map_err(known);
        }
        let Some(form) = FORMS.iter().find(|form| form.token.eq_ignore_ascii_case(parts.letters)) else {
            return Err((token::unknown(piece, self.extra.iter().map(|(prefix, _)| prefix.as_str())), true));
        };
        token::item(form, &parts, piece).map(|item| (parts.times, item)).map_err(known)
    }
}

/// An error in a section. A first token that nothing is known of may be a misspelt alias.
enum Failure {
    UnknownFirst(ArchError),
    Other(ArchError),
}

impl Failure {
    fn error(self) -> ArchError {
        match self {
            Failure::UnknownFirst(error) | Failure::Other(error) => error,
        }
    }
}

/// Whether the first token looks like a name rather than a layer.
fn is_word(text: &str) -> bool {
    text.split('-').next().is_some_and(|first| !first.bytes().any(|b| b.is_ascii_digit()))
}

/// For a string that is no list of layers: the alias that was meant.
fn unknown_arch(name: &str, error: &ArchError) -> ArchError {
    let lower = name.to_ascii_lowercase();
    let close = |alias: &str| strsim::jaro_winkler(&lower, alias);
    let names = ALIASES.map(|(alias, _)| alias);
    let best = names.into_iter().max_by(|a, b| close(a).total_cmp(&close(b)));
    let help = match best.filter(|alias| close(alias) > 0.7) {
        Some(alias) => format!("did you mean `{alias}`?"),
        None => format!("known are {}, or a string of layers such as 32C3-MP2--128", names.join(", ")),
    };
    let span = error.span.start..name.len();
    ArchError::new(span, format!("unknown arch '{name}'")).help(help)
}

/// `HxW` or `HxWxC`.
fn parse_size(size: &str, at: usize) -> Result<[usize; 3], ArchError> {
    let mut numbers = size.split(['x', 'X']).map(token::number);
    let parsed = match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
        (Some(Some(h)), Some(Some(w)), None, None) => Some([h, w, 1]),
        (Some(Some(h)), Some(Some(w)), Some(Some(c)), None) => Some([h, w, c]),
        _ => None,
    };
    parsed.ok_or_else(|| {
        let message = format!("'{size}' is not an image size, expected HEIGHTxWIDTH such as 32x32");
        ArchError::new(at..at + size.len(), message).help("for colour the channels follow, 32x32x3")
    })
}

/// Refuses sizes that no network takes.
fn in_range(size: [usize; 3], span: Range<usize>) -> Result<[usize; 3], ArchError> {
    let [height, width, channels] = size;
    if !(1..=MAX_SIDE).contains(&height) || !(1..=MAX_SIDE).contains(&width) {
        let message = format!("images have sides of 1 to {MAX_SIDE} pixels, got {height}x{width}");
        return Err(ArchError::new(span, message));
    }
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(ArchError::new(
            span,
            format!("images have 1 to {MAX_CHANNELS} channels, got {channels}"),
        ));
    }
    Ok(size)
}

/// Why an alias does not take the size.
fn alias_size(alias: &str, arch: &Arch, span: Range<usize>) -> ArchError {
    let Arch { height, width, channels, .. } = *arch;
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return ArchError::new(span, format!("images have 1 to {MAX_CHANNELS} channels, got {channels}"));
    }
    let min = (1..=MAX_SIDE).find(|&side| arch.with_size(side, side, 1).is_ok()).unwrap_or(MAX_SIDE);
    let message =
        format!("{alias} takes images with sides of {min} to {MAX_SIDE} pixels, got {height}x{width}");
    ArchError::new(span, message)
}
