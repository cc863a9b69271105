use super::*;

fn span(epochs: u32, warmup: f64) -> Span {
    Span { epochs, steps: 10, warmup }
}

fn factor(text: &str, step: u64, span: Span) -> f64 {
    text.parse::<Schedule>().unwrap().factor(step, span)
}

#[track_caller]
fn close(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-12, "{found}, expected {wanted}");
}

#[test]
fn text_and_schedule_are_inverse() {
    for text in ["constant", "cosine", "cosine:0.05", "one-cycle", "one-cycle:0.4", "wsd", "wsd:0.5"] {
        assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
    }
    assert_eq!("wsd:0.2".parse::<Schedule>().unwrap().to_string(), "wsd");
    assert_eq!("step:0.1@0.5,0.75".parse::<Schedule>().unwrap().to_string(), "step:0.1@0.5,0.75");
    for wrong in
        ["", "linear", "cosine:1", "cosine:x", "wsd:0", "step", "step:0.1", "step:0.1@0.7,0.5", "constant:1"]
    {
        assert!(wrong.parse::<Schedule>().is_err(), "{wrong}");
    }
}

#[test]
fn factors_follow_their_formulas() {
    close(factor("constant", 57, span(10, 0.0)), 1.0);
    close(factor("cosine", 0, span(10, 0.0)), 1.0);
    close(factor("cosine", 50, span(10, 0.0)), 0.5);
    close(factor("cosine:0.1", 99, span(10, 0.0)), 0.1 + 0.45 * (1.0 + (PI * 0.99).cos()));
    close(factor("wsd", 79, span(10, 0.0)), 1.0);
    close(factor("wsd", 80, span(10, 0.0)), 1.0);
    close(factor("wsd", 90, span(10, 0.0)), 0.5);
    close(factor("wsd", 99, span(10, 0.0)), 0.05);
    close(factor("step:0.1@0.5,0.75", 49, span(10, 0.0)), 1.0);
    close(factor("step:0.1@0.5,0.75", 50, span(10, 0.0)), 0.1);
    close(factor("step:0.1@0.5,0.75", 75, span(10, 0.0)), 0.01);
}

#[test]
fn every_schedule_warms_up() {
    for text in ["constant", "cosine", "wsd", "step:0.5@0.5"] {
        close(factor(text, 0, span(10, 2.0)), 1.0 / 20.0);
        close(factor(text, 19, span(10, 2.0)), 1.0);
        close(factor(text, 20, span(10, 2.0)), 1.0);
    }
    // One-cycle's rise takes the warm-up's length.
    close(factor("one-cycle", 19, span(10, 2.0)), 1.0);
    close(factor("one-cycle", 0, span(10, 2.0)), 1.0 / 25.0);
    close(factor("one-cycle", 29, span(10, 0.0)), 1.0);
    close(factor("one-cycle", 99, span(10, 0.0)), 1.0 / 250_000.0);
}

#[test]
fn a_shorter_run_is_the_beginning_up_to_where_it_cools_down() {
    let wsd: Schedule = "wsd".parse().unwrap();
    for epochs in 10..60 {
        let Shorter::Branch { from } = wsd.shorter(epochs) else { panic!("wsd branches") };
        for step in 0..u64::from(epochs) * 10 {
            let (short, long) = (wsd.factor(step, span(epochs, 1.5)), wsd.factor(step, span(600, 1.5)));
            assert_eq!(short.to_bits() == long.to_bits(), step <= u64::from(from) * 10, "{epochs}: {step}");
        }
    }
    assert_eq!(Schedule::Constant.shorter(5), Shorter::Beginning);
    assert_eq!("cosine".parse::<Schedule>().unwrap().shorter(5), Shorter::Own);
}
