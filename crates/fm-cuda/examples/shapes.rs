//! Prints `kernels/shapes.h`.

fn main() {
    print!("{}", fm_cuda::shapes());
}
