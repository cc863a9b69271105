//! A comparison as JSON and as rows of a table.

use serde_json::{Value, json};

use super::{Compared, Difference};
use crate::lengths::Chosen;
use crate::stats::{Interval, McNemar, Noise, Summary, TTest};

impl Compared {
    /// Every number, for programs. Accuracies, F1 and recalls are shares of 1.
    pub fn to_json(&self) -> Value {
        let interval = |i: Interval| json!([i.low, i.high]);
        let summary = |s: &Summary| json!({ "n": s.n, "mean": s.mean, "sd": s.sd, "interval": s.interval.map(interval), "min": s.min, "max": s.max });
        let test = |t: &TTest| json!({ "difference": t.difference, "interval": interval(t.interval), "p": t.p, "df": t.df, "standard_error": t.standard_error });
        let difference = |d: &Difference| json!({ "difference": d.test.difference, "interval": interval(d.interval), "p": d.p, "together": d.together, "df": d.test.df, "standard_error": d.test.standard_error });
        let chosen = |c: &Chosen| json!({ "epochs": c.epochs, "validation_accuracy": c.accuracy, "of": c.of, "unscored": c.unscored });
        let named = |(name, value): (&String, Value)| (name.clone(), value);
        let groups: Vec<Value> = self
            .groups
            .iter()
            .map(|g| {
                let measures: serde_json::Map<_, _> =
                    g.measures.iter().map(|(name, s)| named((name, summary(s)))).collect();
                let sd = |n: &Noise| json!({ "seeds": n.seeds, "networks": n.networks, "flicker": n.flicker, "images": n.images });
                json!({ "name": g.name, "seeds": g.seeds, "measures": measures, "accuracy_sd": g.noise.as_ref().map(sd),
                    "length_chosen": g.chosen.as_ref().map(chosen) })
            })
            .collect();
        let mcnemar = |(seed, m): &(u64, McNemar)| json!({ "seed": seed, "only_first": m.only_first, "only_second": m.only_second, "p_exact": m.exact, "p_mid": m.mid });
        let pairs: Vec<Value> = self
            .pairs
            .iter()
            .map(|pair| {
                let c = &pair.comparison;
                let differences: serde_json::Map<_, _> =
                    pair.differences.iter().map(|(name, t)| named((name, json!(t.as_ref().map(difference))))).collect();
                let v = &pair.verdict;
                json!({
                    "first": c.names[0], "second": c.names[1], "answer": v.answer.name(), "verdict": v.sentence,
                    "comparisons": v.family.comparisons, "margin": v.family.margin, "equivalent": v.equivalent,
                    "paired_by_seed": c.paired, "difference": c.difference(), "interval": interval(v.interval),
                    "p": v.p, "p_equivalence": v.p_equivalence, "detectable": v.detectable,
                    "same_predictions": pair.same_predictions,
                    "superiority": pair.superiority.map(|s| json!({ "probability": s.probability, "interval": interval(s.interval) })),
                    "crossed_effects": c.crossed.as_ref().map(|x| test(&x.test)),
                    "test_images_alone": test(&c.items),
                    "mcnemar": c.mcnemar.iter().map(mcnemar).collect::<Vec<_>>(),
                    "differences": differences,
                })
            })
            .collect();
        let ranking = self.ranking().map(|ranking| {
            let ranked = |(group, letters): (usize, String)| json!({ "name": self.groups[group].name, "letters": letters });
            ranking.into_iter().map(ranked).collect::<Vec<_>>()
        });
        json!({ "groups": groups, "pairs": pairs, "ranking": ranking })
    }

    /// The same numbers as rows of a table: groups first, then differences.
    pub fn to_rows(&self) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let header = vec![
            "what", "first", "second", "measure", "n", "mean", "sd", "low", "high", "p", "together", "answer",
        ];
        let number = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.6}"));
        let mut rows = Vec::new();
        for group in &self.groups {
            for (measure, s) in &group.measures {
                let cells = ["group", &group.name, "", measure, &s.n.to_string()].map(str::to_owned);
                let numbers =
                    [Some(s.mean), s.sd, s.interval.map(|i| i.low), s.interval.map(|i| i.high), None];
                let rest = [String::new(), String::new()];
                rows.push(cells.into_iter().chain(numbers.map(number)).chain(rest).collect());
            }
            if let Some(chosen) = &group.chosen {
                for (epochs, accuracy) in &chosen.of {
                    let measure = format!("validation accuracy, {epochs} epochs");
                    let answer = if *epochs == chosen.epochs { "chosen" } else { "" };
                    let cells = ["length", &group.name, "", &measure, &group.seeds.len().to_string()];
                    let numbers = [Some(*accuracy), None, None, None, None].map(number);
                    let cells = cells.map(str::to_owned).into_iter().chain(numbers);
                    rows.push(cells.chain([String::new(), answer.to_owned()]).collect());
                }
            }
            for (source, sd) in group.noise.iter().flat_map(Noise::parts) {
                let cells = ["noise", &group.name, "", &format!("accuracy, {source}")].map(str::to_owned);
                let n = group.seeds.len().to_string();
                let numbers = [None, Some(sd), None, None, None].map(number);
                let rest = [String::new(), String::new()];
                rows.push(cells.into_iter().chain([n]).chain(numbers).chain(rest).collect());
            }
        }
        for (place, (group, letters)) in self.ranking().into_iter().flatten().enumerate() {
            let group = &self.groups[group];
            let cells =
                ["rank", &group.name, "", "accuracy", &group.seeds.len().to_string()].map(str::to_owned);
            let numbers = [Some(place as f64 + 1.0), None, None, None, None].map(number);
            rows.push(
                cells.into_iter().chain(numbers).chain([self.pairs.len().to_string(), letters]).collect(),
            );
        }
        for pair in &self.pairs {
            let (c, v) = (&pair.comparison, &pair.verdict);
            let [first, second] = &c.names;
            let n = c.accuracies[1].n.to_string();
            let row =
                |what: &str, measure: &str, numbers: [Option<f64>; 5], together: usize, answer: &str| {
                    let cells = [what, first, second, measure, &n].map(str::to_owned);
                    let rest = [together.to_string(), answer.to_owned()];
                    cells.into_iter().chain(numbers.map(number)).chain(rest).collect::<Vec<_>>()
                };
            let numbers =
                [Some(c.difference()), None, Some(v.interval.low), Some(v.interval.high), Some(v.p)];
            rows.push(row("verdict", "accuracy", numbers, v.family.comparisons, v.answer.name()));
            if let Some(s) = pair.superiority {
                let numbers = [Some(s.probability), None, Some(s.interval.low), Some(s.interval.high), None];
                rows.push(row("superiority", "accuracy", numbers, 1, ""));
            }
            for (measure, d) in &pair.differences {
                let of = |get: fn(&Difference) -> f64| d.as_ref().map(get);
                let p = d.as_ref().and_then(|d| d.p);
                let ends = (of(|d| d.interval.low), of(|d| d.interval.high));
                let numbers = [of(|d| d.test.difference), None, ends.0, ends.1, p];
                rows.push(row("difference", measure, numbers, d.as_ref().map_or(1, |d| d.together), ""));
            }
        }
        (header, rows)
    }
}
