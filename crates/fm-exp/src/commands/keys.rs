//! `fm-exp keys`: every key of a run, as its statement has it, and what some of them choose from.

use std::fmt::Write as _;

use fm_run::spec::{RECIPES, text};
use fm_run::{Role, RunSpec};
use serde_json::json;

/// What the role means for the run's identity, and the reason where it is no part of it.
fn role(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Decides => ("decides", ""),
        Role::Replicates => ("replicates", "runs that differ by it alone are repetitions"),
        Role::Resolved(what) => ("resolved", what),
        Role::Aside(why) => ("aside", why),
        Role::Place(why) => ("place", why),
    }
}

pub(crate) fn run(as_json: bool) -> String {
    let default = RunSpec::default();
    let value = |key: &str| default.get(key).and_then(|value| text(&value).ok());
    if as_json {
        let keys: Vec<_> = RunSpec::fields()
            .iter()
            .map(|field| {
                let (role, reason) = role(field.role);
                let choices: Vec<&str> = field.choices.iter().map(|(name, _)| *name).collect();
                json!({ "key": field.key, "variable": field.variable, "column": field.column,
                    "help": field.help, "heading": field.heading, "default": value(&field.key),
                    "choices": choices, "role": role, "reason": reason })
            })
            .collect();
        let recipes: Vec<_> =
            (RECIPES.iter()).map(|r| json!({ "name": r.name, "help": r.about, "keys": r.table() })).collect();
        let augmentations: Vec<_> = (fm_data::OPERATIONS.iter())
            .map(|op| json!({ "word": op.word(), "takes": op.takes().to_string(), "help": op.help() }))
            .collect();
        let all = json!({ "keys": keys, "recipes": recipes, "augmentations": augmentations });
        return format!("{all:#}\n");
    }
    let mut out = String::new();
    for field in RunSpec::fields() {
        let (role, reason) = role(field.role);
        let default = value(&field.key).unwrap_or_default();
        let _ = writeln!(out, "{:<17} {default:<14} {role:<10} {}", field.key, field.help);
        if !reason.is_empty() {
            let _ = writeln!(out, "{:<43} ({reason})", "");
        }
    }
    out += "\nrecipes\n";
    for recipe in RECIPES {
        let _ = writeln!(out, "{:<17} {}", recipe.name, recipe.about);
        for (key, value) in recipe.table() {
            let _ = writeln!(out, "{:<17} {key} = {value}", "");
        }
    }
    out += "\naugmentations\n";
    for operation in fm_data::OPERATIONS {
        let _ = writeln!(out, "{:<17} {}", operation.word(), operation.help());
    }
    out
}
