//! Families of networks on the command line and in files: a template with a width becomes one network.
//!
//! `--arch '{w}C3-MP2--{4w}'` with `--set w=8`, or with `--fit-params 123690` for the largest width within the
//! budget; or `--arch tiny`, where a file has `[families.tiny]`. What a run records is the network that came
//! out.

use clap::Args;
use fm_data::DatasetName;
use fm_net::Arch;
use fm_net::family::{self, Families, FamilyError, Fit};
use fm_run::RunSpec;
use toml::{Table, Value};

use crate::error::{Error, Result};
use crate::inputs;

/// Flags that choose a member of a family.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Training")]
pub struct WidthFlags {
    /// Any key, or the width of a family, such as --set w=8
    #[arg(long, value_name = "KEY=VALUE", add = crate::completion::keys())]
    pub set: Vec<String>,

    /// The largest width of a family whose network has at most N parameters
    #[arg(long, value_name = "N", conflicts_with = "fit_macs")]
    pub fit_params: Option<u64>,

    /// The largest width of a family whose network takes at most N multiply-adds per image
    #[arg(long, value_name = "N")]
    pub fit_macs: Option<u64>,
}

/// The keys of a table that choose a member; none is a key of a run.
const WIDTH: &str = "w";
const FIT_PARAMS: &str = "fit-params";
const FIT_MACS: &str = "fit-macs";
const FAMILIES: &str = "families";

/// The keys that a family may stand in or that choose its member: what a table holds before [`resolve`].
pub(crate) const CHOOSING: [&str; 4] = ["arch", WIDTH, FIT_PARAMS, FIT_MACS];

impl WidthFlags {
    /// Puts what the flags say into a table of keys. Of `--set KEY=A,B` the values are a list, unless a value of
    /// the key may hold a comma.
    ///
    /// # Errors
    /// A usage error for a `--set` that is not KEY=VALUE.
    pub fn put_into(&self, table: &mut Table) -> Result<()> {
        for pair in &self.set {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Error::usage(format!("--set takes KEY=VALUE, got '{pair}'")))?;
            let is_one = RunSpec::field(key).is_some_and(|field| field.heading == "Data" || field.commas);
            let values: Vec<Value> =
                if is_one { vec![value.into()] } else { value.split(',').map(Value::from).collect() };
            let value = if values.len() == 1 { value.into() } else { Value::Array(values) };
            table.insert(key.to_owned(), value);
        }
        for (key, budget) in [(FIT_PARAMS, self.fit_params), (FIT_MACS, self.fit_macs)] {
            let budget = budget.map(|n| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX)));
            table.extend(budget.map(|n| (key.to_owned(), n)));
        }
        Ok(())
    }
}

/// Takes the table of families out of a file's keys.
///
/// # Errors
/// A usage error when it is no such table.
pub(crate) fn taken(table: &mut Table) -> Result<Families> {
    let Some(families) = table.remove(FAMILIES) else { return Ok(Families::new()) };
    families.try_into().map_err(|e: toml::de::Error| {
        Error::usage(format!("[families]: {}", e.message()))
            .help("a family is a table such as [families.tiny] with layers = \"{w}C3-MP2--{4w}\"")
    })
}

/// Replaces a family in `arch` by the network that its width or budget chooses; `classes` counts the data's
/// classes where a budget needs them.
///
/// # Errors
/// A usage error: no width is chosen, or the network is no family, or no member fits.
pub(crate) fn resolve(
    table: &mut Table,
    families: &Families,
    classes: impl FnOnce(&Table) -> Result<usize>,
) -> Result<()> {
    let width = table.remove(WIDTH);
    let budget = |key: &str, table: &mut Table| table.remove(key).map(|value| number(key, &value));
    let params = budget(FIT_PARAMS, table).transpose()?.map(Fit::Params);
    let fit = params.or(budget(FIT_MACS, table).transpose()?.map(Fit::Macs));
    let text = table.get("arch").and_then(Value::as_str).unwrap_or_default().to_owned();
    let named = families.get(&text);
    let template = named.map_or(text.as_str(), |family| &family.template);
    if !template.contains('{') && named.is_none() {
        if width.is_some() || fit.is_some() {
            let text = "a width or a budget needs a family of networks";
            return Err(Error::usage(text).help("write --arch '{w}C3-MP2-{2w}C3-MP2--{4w}'"));
        }
        return Ok(());
    }
    let arch = match (width, fit.or(named.and_then(|family| family.fit))) {
        (Some(width), _) => {
            let w = number(WIDTH, &width)?;
            family::expand(template, usize::try_from(w).unwrap_or(usize::MAX)).map_err(|e| failed(&e))?
        }
        (None, Some(fit)) => {
            let (w, arch) =
                family::fit(template, fit, [28, 28, 1], classes(table)?).map_err(|e| failed(&e))?;
            tracing::info!("{template} with w = {w}: {arch}");
            arch
        }
        (None, None) if !template.contains('{') => {
            template.parse::<Arch>().map_err(|e| Error::usage(format!("family {text}: {}", e.message)))?
        }
        (None, None) => {
            return Err(Error::usage(format!("{template} is a family: no width is chosen"))
                .help("choose one with --set w=8, or the largest within a budget with --fit-params N"));
        }
    };
    table.insert("arch".to_owned(), arch.to_string().into());
    Ok(())
}

/// Classes of the data set that the keys name: from the catalogue, or by looking at a directory's labels.
///
/// # Errors
/// When the keys or the data cannot be read.
pub(crate) fn classes_of(table: &Table) -> Result<usize> {
    let mut data = table.clone();
    data.remove("arch");
    let spec = RunSpec::read(&data)?;
    match DatasetName::from(spec.dataset.clone()).class_names() {
        Some(names) => Ok(names.len()),
        None => Ok(inputs::load_local(&spec)?.classes),
    }
}

fn number(key: &str, value: &Value) -> Result<u64> {
    let text = fm_run::spec::text(value).unwrap_or_default();
    text.trim().parse().map_err(|_| Error::usage(format!("{key} must be a whole number, got '{text}'")))
}

fn failed(error: &FamilyError) -> Error {
    let text = error.to_string();
    let mut lines = text.lines();
    let first = Error::usage(lines.next().unwrap_or_default());
    lines.fold(first, Error::note)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arch(text: &str) -> Result<String> {
        let mut table: Table = text.parse().unwrap();
        let families = taken(&mut table)?;
        resolve(&mut table, &families, |_| Ok(10))?;
        assert!(!table.contains_key(WIDTH) && !table.contains_key(FIT_PARAMS));
        Ok(table["arch"].as_str().unwrap().to_owned())
    }

    #[test]
    fn a_width_or_a_budget_chooses_the_member() {
        let template = "arch = '{w}C3-MP2-{2w}C3-MP2--{4w}'";
        assert_eq!(arch(&format!("{template}\nw = 8")).unwrap(), "8C3-MP2-16C3-MP2--32");
        // 32 filters are encoder-mlp's first block; the member is the largest within its parameters.
        let text = arch(&format!("{template}\nfit-params = 123690")).unwrap();
        let network = |text: &str| fm_net::Network::new(&text.parse().unwrap(), 10).unwrap();
        let count = |text: &str| network(text).params().map(fm_net::TensorSpec::count).sum::<usize>();
        let w: usize = text.split('C').next().unwrap().parse().unwrap();
        let next = w + 1;
        assert!(count(&text) <= 123_690);
        assert!(count(&format!("{next}C3-MP2-{}C3-MP2--{}", 2 * next, 4 * next)) > 123_690);
        let tiny = "arch = 'tiny'\n[families.tiny]\nlayers = '{w}C3-MP2--{4w}'\nfit = { params = 20000 }";
        assert!(arch(tiny).unwrap().contains("C3-MP2--"));
    }

    #[test]
    fn what_is_no_family_is_refused() {
        let message = |text: &str| arch(text).unwrap_err().to_string();
        assert!(message("arch = '{w}C3'").contains("--set w=8"));
        assert!(message("arch = 'cnn'\nw = 8").contains("needs a family"));
        assert!(message("arch = '{w}C3--{4w}'\nfit-params = 3").contains("3 parameters"));
        assert!(message("arch = 'x'\n[families]\nx = 3").starts_with("[families]: "));
    }
}
