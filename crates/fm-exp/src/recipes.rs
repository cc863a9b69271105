//! `--recipe`: keys under a name, or from a file, for whatever is not said otherwise.

use std::path::Path;

use fm_run::RunSpec;
use fm_run::spec::{RECIPES, Recipe};
use toml::{Table, Value};

use crate::error::{Error, Result};

/// The key that names a recipe.
pub(crate) const KEY: &str = "recipe";

/// What help says of it.
pub(crate) const HELP: &str = "Values of keys that are not given otherwise: notebook (the defaults), strong (what gets the \
                               most out of a small network), or a TOML file";

/// Puts the keys of the recipe that `table` names in place of that name; keys that stand there already win.
///
/// # Errors
/// A usage error when there is no such recipe, or a file cannot be read or holds other things than keys.
pub(crate) fn resolve(table: &mut Table) -> Result<()> {
    let Some(named) = table.remove(KEY) else { return Ok(()) };
    let Value::String(named) = named else {
        return Err(Error::usage(format!("recipe must be a name or a file, got {named}")));
    };
    for (key, value) in keys(&named)? {
        table.entry(key).or_insert(value);
    }
    Ok(())
}

fn keys(named: &str) -> Result<Table> {
    if let Some(recipe) = Recipe::named(named) {
        return Ok(recipe.table());
    }
    let path = Path::new(named);
    if path.extension().is_none_or(|extension| extension != "toml") {
        let known: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
        let help = format!("there are {}, and files whose names end in .toml", known.join(", "));
        return Err(Error::usage(format!("there is no recipe '{named}'")).help(help));
    }
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
    let about = format!("{} is no recipe", path.display());
    let table: Table = text.parse().map_err(|e: toml::de::Error| Error::usage(e.message()).about(&about))?;
    RunSpec::read(&table).map_err(|error| error.about(&about))?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_otherwise_wins() {
        let mut table: Table = "recipe = 'strong'\noptimizer = 'sgd'".parse().unwrap();
        resolve(&mut table).unwrap();
        assert_eq!(table["optimizer"].as_str(), Some("sgd"));
        assert!(table.contains_key("augment") && !table.contains_key(KEY));
        let error = resolve(&mut "recipe = 'stronk'".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("there are notebook, strong"), "{error}");
    }

    #[test]
    fn a_file_is_a_recipe() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        let with = |text: &str| {
            fm_run::store::write(&path, text.as_bytes()).unwrap();
            let mut table = Table::from_iter([(KEY.to_owned(), path.to_str().unwrap().into())]);
            resolve(&mut table).map(|()| table)
        };
        assert_eq!(with("lr = 0.5").unwrap()["lr"].as_float(), Some(0.5));
        assert!(with("lr = 'x'").unwrap_err().to_string().contains("is no recipe"));
        assert!(with("epoch = 3").unwrap_err().to_string().contains("did you mean `epochs`?"));
    }
}
