//! How often the verdict is wrong, and how often it finds a difference: the table in docs/comparing.md.
//!
//! ```text
//! cargo run --release -p fm-report --example calibration [TRIALS [PART OF A CASE'S NAME]]
//! ```
//!
//! Made runs near the published ones: an image is classified correctly where a normal variable stays below the image's
//! ease plus the seed's skill. Accuracy is 89.3 %, two seeds disagree on 8.4 % of the images, the standard deviation over
//! seeds is 0.28 points, and the choice of 10,000 images adds 0.10 points to the difference of two networks. Of one
//! algorithm against itself, the images are equally easy for both.

use fm_report::stats::{Answer, Comparison, Family, Group, Interval, Run};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Mean and standard deviation of images' ease.
const EASE: (f64, f64) = (3.051_651, 2.242_954);
/// Standard deviation of seeds' skill.
const SKILL: f64 = 0.025_418;
/// Correlation of an image's ease for two networks.
const ALIKE: f64 = 0.948_611;
/// Percentage points of accuracy, and the shift of every image's ease that makes them.
const POINTS: [(f64, f64); 3] = [(0.0, 0.0), (0.3, 0.040_379), (0.5, 0.067_770)];

struct Case {
    name: &'static str,
    /// Seeds of each group; runs of the same number are paired where `paired`.
    seeds: &'static [usize],
    paired: bool,
    /// How much better the second group is, in points.
    better: f64,
    /// Whether images are equally easy for all groups.
    same: bool,
    images: usize,
}

const fn case(name: &'static str, seeds: &'static [usize], paired: bool, better: f64, same: bool) -> Case {
    Case { name, seeds, paired, better, same, images: 10_000 }
}

const CASES: &[Case] = &[
    case("no difference, paired", &[2, 2], true, 0.0, false),
    case("no difference, paired", &[3, 3], true, 0.0, false),
    case("no difference, paired", &[5, 5], true, 0.0, false),
    case("no difference, paired", &[10, 10], true, 0.0, false),
    case("no difference, other seeds", &[2, 2], false, 0.0, false),
    case("no difference, other seeds", &[3, 3], false, 0.0, false),
    case("no difference, other seeds", &[5, 5], false, 0.0, false),
    case("no difference, other seeds", &[10, 10], false, 0.0, false),
    case("no difference, other seeds", &[3, 10], false, 0.0, false),
    case("one algorithm twice", &[3, 3], true, 0.0, true),
    case("one algorithm twice", &[5, 5], true, 0.0, true),
    case("one algorithm twice", &[10, 10], true, 0.0, true),
    case("0.5 points better, paired", &[3, 3], true, 0.5, false),
    case("0.5 points better, paired", &[5, 5], true, 0.5, false),
    case("0.5 points better, paired", &[10, 10], true, 0.5, false),
    case("0.3 points better: the margin's edge, paired", &[3, 3], true, 0.3, false),
    case("0.3 points better: the margin's edge, paired", &[5, 5], true, 0.3, false),
    case("0.3 points better: the margin's edge, paired", &[10, 10], true, 0.3, false),
    Case { images: 500, ..case("2 groups without a difference, 500 images", &[3; 2], true, 0.0, false) },
    Case { images: 500, ..case("2 groups without a difference, 500 images", &[5; 2], true, 0.0, false) },
    Case { images: 500, ..case("25 groups without a difference, 500 images", &[3; 25], true, 0.0, false) },
    Case { images: 500, ..case("25 groups without a difference, 500 images", &[5; 25], true, 0.0, false) },
];

struct Draw(ChaCha8Rng);

impl Draw {
    fn uniform(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }

    /// By Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// The normal distribution function and density, by a table.
struct Normal(Vec<(f64, f64)>);

impl Normal {
    const STEP: f64 = 1.0 / 256.0;
    const FAR: f64 = 12.0;

    fn new() -> Self {
        let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let mut sum = 0.0;
        let entry = |i: usize| {
            let x = i as f64 * Self::STEP - Self::FAR;
            // Simpson's rule from the entry before.
            sum += (density(x - Self::STEP) + 4.0 * density(x - Self::STEP / 2.0) + density(x)) * Self::STEP
                / 6.0;
            (sum, density(x))
        };
        Self((0..=(2.0 * Self::FAR / Self::STEP) as usize).map(entry).collect())
    }

    fn cdf(&self, x: f64) -> f64 {
        let at = ((x.clamp(-Self::FAR, Self::FAR) + Self::FAR) / Self::STEP).round();
        let (cdf, density) = self.0[at as usize];
        cdf + density * (x - (at * Self::STEP - Self::FAR)).clamp(-1.0, 1.0)
    }
}

fn groups(case: &Case, draw: &mut Draw, normal: &Normal) -> Vec<Group> {
    let shared: Vec<f64> = (0..case.images).map(|_| draw.normal()).collect();
    let shift = POINTS.iter().find(|(points, _)| (points - case.better).abs() < 1e-9).map_or(0.0, |p| p.1);
    let mut first_seed = 0;
    let mut group = |index: usize, &seeds: &usize| {
        let own = (ALIKE.sqrt(), (1.0 - ALIKE).sqrt());
        let ease: Vec<f64> = shared
            .iter()
            .map(|&x| {
                // Two networks' eases share a part, so that their correlation is as stated.
                let z = if case.same { x } else { own.0 * x + own.1 * draw.normal() };
                EASE.0 + EASE.1 * z + if index == 1 { shift } else { 0.0 }
            })
            .collect();
        if !case.paired {
            first_seed += 100;
        }
        let run = |seed: usize| {
            let skill = SKILL * draw.normal();
            let correct = ease.iter().map(|&ease| draw.uniform() < normal.cdf(ease + skill)).collect();
            Run { seed: (first_seed + seed) as u64, correct }
        };
        Group { name: format!("network {index}"), runs: (0..seeds).map(run).collect() }
    };
    case.seeds.iter().enumerate().map(|(index, seeds)| group(index, seeds)).collect()
}

/// Whether anything was called better, whether anything was called equivalent, whether all intervals hold the truth, and
/// the width of the last in points.
fn trial(case: &Case, draw: &mut Draw, normal: &Normal) -> (bool, bool, bool, f64) {
    let groups = groups(case, draw, normal);
    let comparisons = groups.len() * (groups.len() - 1) / 2;
    let family = Family { comparisons, ..Family::ONE };
    let (mut better, mut equivalent, mut covers, mut width) = (false, false, true, 0.0);
    for (i, first) in groups.iter().enumerate() {
        for second in &groups[i + 1..] {
            let comparison = Comparison::new(first, second).unwrap_or_else(|e| panic!("{e}"));
            let decision = comparison.decide(family);
            let Interval { low, high } = decision.interval;
            better |= decision.answer == Answer::Better;
            equivalent |= decision.equivalent;
            covers &= (100.0 * low..=100.0 * high).contains(&case.better);
            width = 100.0 * (high - low);
        }
    }
    (better, equivalent, covers, width)
}

fn main() {
    let trials: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2_000);
    let part = std::env::args().nth(2).unwrap_or_default();
    let normal = Normal::new();
    println!(
        "| {trials} trials of | seeds | \"better\" | \"equivalent\" | interval covers | its width, points |"
    );
    println!("|---|--:|--:|--:|--:|--:|");
    for (number, case) in CASES.iter().enumerate().filter(|(_, case)| case.name.contains(&part)) {
        let mut draw = Draw(ChaCha8Rng::seed_from_u64(number as u64));
        let found: Vec<_> = (0..trials).map(|_| trial(case, &mut draw, &normal)).collect();
        let share = |of: fn(&(bool, bool, bool, f64)) -> bool| {
            100.0 * found.iter().filter(|trial| of(trial)).count() as f64 / trials as f64
        };
        let width = found.iter().map(|trial| trial.3).sum::<f64>() / trials as f64;
        let seeds = if case.seeds.len() > 2 || case.seeds[0] == case.seeds[1] {
            case.seeds[0].to_string()
        } else {
            format!("{} and {}", case.seeds[0], case.seeds[1])
        };
        println!(
            "| {} | {seeds} | {:.1} % | {:.1} % | {:.1} % | {width:.2} |",
            case.name,
            share(|t| t.0),
            share(|t| t.1),
            share(|t| t.2)
        );
    }
}
