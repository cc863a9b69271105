//! Random networks through every entry point of both trainers, for sanitizers and Miri: `random [COUNT] [ISA] [SEED]`.
//! Results must be the same bits for one thread and for several.

mod chains;
mod graphs;

use fm_kernels::Isa;

/// An example that fails ends with the reason.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let count: u64 = args.next().map_or(Ok(20), |text| text.parse())?;
    let only: Option<Isa> = args.next().map(|text| text.parse()).transpose()?;
    let seed: u64 = args.next().map_or(Ok(0), |text| text.parse())?;
    let isas = Isa::ALL.into_iter().filter(|isa| isa.is_available() && only.is_none_or(|only| only == *isa));
    let isas: Vec<Isa> = isas.collect();
    let (mut of_chains, mut of_graphs) = (0, 0);
    for number in seed..seed + count {
        for &isa in &isas {
            // One chain is like another to Miri, which has no time for more.
            if !cfg!(miri) || number == seed {
                of_chains += u64::from(chains::one(number, isa)?);
            }
            of_graphs += u64::from(graphs::one(number, isa)?);
        }
    }
    println!("{of_chains} chains and {of_graphs} other networks");
    Ok(())
}
