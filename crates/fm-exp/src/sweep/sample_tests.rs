//! Sampled axes: where their values lie, what they depend on, what is refused.

use super::*;

fn sampled(text: &str) -> Result<(Table, Vec<Table>)> {
    let mut grid: Table = text.parse().unwrap();
    taken(&mut grid).map(|points| (grid, points))
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_float().unwrap()).collect()
}

/// In 16 equal parts of the range, one of 16 values each.
#[test]
fn an_axis_of_its_own_is_a_list_over_its_whole_range() {
    let (grid, points) =
        sampled("lr = 'log 1e-4..1e-1 x 16'\nencoder-lr = ['linear 0..0.5 x 16']\nseeds = '0..1'").unwrap();
    assert_eq!(points, [Table::new()]);
    assert_eq!(grid["seeds"].as_str(), Some("0..1"));
    let parts = |values: Vec<f64>, part: &dyn Fn(f64) -> f64| {
        let mut parts: Vec<i32> = values.into_iter().map(|v| (16.0 * part(v)) as i32).collect();
        parts.sort_unstable();
        parts
    };
    let all: Vec<i32> = (0..16).collect();
    assert_eq!(parts(floats(&grid["lr"]), &|v| (v / 1e-4).log10() / 3.0), all);
    assert_eq!(parts(floats(&grid["encoder-lr"]), &|v| v / 0.5), all);
    for value in floats(&grid["lr"]) {
        assert_eq!(format!("{value:.3e}").parse(), Ok(value), "four digits");
    }
}

#[test]
fn points_depend_on_seed_and_number_alone() {
    let grid = |extra: &str| {
        let text = "lr = 'log 1e-4..1e-1'\nbatch-size = 'log integer 16..256'\nepochs = [1, 2]\n[sample]\n";
        sampled(&format!("{text}{extra}")).unwrap()
    };
    let (rest, points) = grid("points = 64");
    assert_eq!((points.len(), rest.len()), (64, 1));
    let keys: Vec<&String> = points[0].keys().collect();
    assert_eq!(keys, ["batch-size", "lr"]);
    assert_eq!(grid("points = 16").1, points[..16], "fewer are the beginning of more");
    assert_eq!(grid("points = 64\nseed = 0\nmethod = 'sobol'").1, points);
    assert_ne!(grid("points = 64\nseed = 1").1, points);
    let random = grid("points = 64\nmethod = 'random'").1;
    assert_ne!(random, points);
    assert_eq!(grid("points = 3\nmethod = 'random'").1, random[..3]);
    // Each quarter of the plane has a quarter of the points.
    let quarter = |point: &Table| {
        let (lr, size) = (point["lr"].as_float().unwrap(), point["batch-size"].as_integer().unwrap());
        (lr < 10f64.powf(-2.5), size < 64)
    };
    assert!(points.iter().all(|p| (16..=256).contains(&p["batch-size"].as_integer().unwrap())));
    for which in [(false, false), (false, true), (true, false), (true, true)] {
        let count = points.iter().filter(|point| quarter(point) == which).count();
        assert!((15..=17).contains(&count), "{which:?}: {count}");
    }
}

/// They must never change, or a grid is another grid.
#[test]
fn golden() {
    let (_, points) =
        sampled("lr = 'log 1e-4..1e-1'\nbatch-size = 'integer 16..256'\n[sample]\npoints = 4\nseed = 7")
            .unwrap();
    let pairs: Vec<(i64, f64)> =
        points.iter().map(|p| (p["batch-size"].as_integer().unwrap(), p["lr"].as_float().unwrap())).collect();
    assert_eq!(pairs, [(180, 0.005_995), (22, 0.000_383_6), (212, 0.001_245), (132, 0.086_47)]);
}

#[test]
fn whole_numbers_are_as_likely() {
    let (grid, _) = sampled("epochs = 'integer 1..4 x 4'").unwrap();
    let mut values: Vec<i64> =
        grid["epochs"].as_array().unwrap().iter().map(|v| v.as_integer().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, [1, 2, 3, 4]);
}

#[test]
fn what_is_wrong() {
    for (text, piece) in [
        ("lr = 'log 1e-4..1e-1'", "lr has a range and no number of values"),
        ("lr = [1e-3]\n[sample]\npoints = 3", "no key has a range without a number"),
        ("lr = 'log 0..1 x 4'", "begins above 0"),
        ("lr = 'log 1..0.1 x 4'", "its first end is not below its second"),
        ("lr = 'linear 1e-3 x 4'", "there is no range"),
        ("lr = 'linear a..b x 4'", "no numbers"),
        ("lr = 'linear 0..1 x'", "behind the range stands x and a number"),
        ("lr = 'linear 0..1 y 4'", "behind the range stands x and a number"),
        ("lr = 'linear 0..1 x 0'", "from 1 to 65536"),
        ("epochs = 'integer 1..4 x 5'", "fewer than 5 whole numbers"),
        ("epochs = 'integer 1.5..4 x 2'", "no whole numbers"),
        ("sample = 3", "expected a table [sample]"),
        ("[sample]\npoint = 3", "unknown key 'point'"),
        ("[sample]\npoints = 0", "at least 1"),
        ("[sample]\npoints = 70000", "a number up to 65536"),
        ("[sample]\nmethod = 'halton'", "\"sobol\" or \"random\""),
    ] {
        let error = sampled(text).unwrap_err();
        assert!(error.to_string().contains(piece), "{text}: {error}");
        assert_eq!(error.exit_code(), 2);
    }
}
