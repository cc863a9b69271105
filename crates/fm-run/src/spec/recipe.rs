//! Recipes: keys under a name, and a run's recipe in a line.

use toml::Table;

use super::RunSpec;

/// A recipe that the project offers.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// What `--recipe` calls it.
    pub name: &'static str,
    /// What it is, for help.
    pub about: &'static str,
    /// Its keys, as TOML.
    pub keys: &'static str,
}

/// All of them.
pub const RECIPES: [Recipe; 2] = [
    Recipe { name: "notebook", about: "Adam at a constant rate and nothing else", keys: "" },
    Recipe {
        name: "strong",
        about: "what gets the most out of a small network",
        keys: include_str!("strong.toml"),
    },
];

impl Recipe {
    /// The recipe of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        RECIPES.into_iter().find(|recipe| recipe.name == name)
    }

    /// Its keys.
    #[must_use]
    pub fn table(&self) -> Table {
        self.keys.parse().unwrap_or_else(|e| unreachable!("{}: {e}", self.name))
    }
}

impl RunSpec {
    /// The same run without a recipe: learning rate and batch size stay.
    #[must_use]
    pub fn without_recipe(&self) -> Self {
        let mut table = self.table();
        table.retain(|key, _| Self::field(key).is_none_or(|field| field.heading != "Recipe"));
        Self::read(&table).unwrap_or_else(|e| unreachable!("its own table: {e}"))
    }

    /// How the run trains, in a line: the keys that are not at their default, or `notebook`.
    #[must_use]
    pub fn recipe(&self) -> String {
        let default = Self::default();
        let told = |key: &str| ["batch-size", "lr"].contains(&key);
        let fields = Self::fields().iter().filter(|f| f.heading == "Recipe" || told(&f.key));
        let differing = fields.filter(|f| f.role.decides() && self.get(&f.key) != default.get(&f.key));
        let said = differing.filter_map(|field| {
            let value = super::text(&self.get(&field.key)?).ok()?;
            Some(if field.switch { field.key.clone() } else { format!("{} {value}", field.key) })
        });
        let line = said.collect::<Vec<_>>().join(", ");
        if line.is_empty() { RECIPES[0].name.to_owned() } else { line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_a_set_of_keys_and_the_notebooks_is_the_default() {
        for recipe in RECIPES {
            let spec = RunSpec::read(&recipe.table()).unwrap().check().unwrap();
            assert_eq!(spec.recipe() == "notebook", recipe.name == "notebook");
        }
        assert_eq!(RunSpec::read(&RECIPES[0].table()).unwrap(), RunSpec::default());
    }

    #[test]
    fn a_recipe_in_a_line_names_what_is_not_the_default() {
        let table = "optimizer = 'adamw'\nweight-decay = 0.05\nlr = 0.002\ndecay-all = true\nseed = 3";
        let spec = RunSpec::read(&table.parse().unwrap()).unwrap();
        assert_eq!(spec.recipe(), "lr 0.002, optimizer adamw, weight-decay 0.05, decay-all");
        assert_eq!(spec.without_recipe().recipe(), "lr 0.002");
        assert_eq!(spec.without_recipe().seed, 3);
    }
}
