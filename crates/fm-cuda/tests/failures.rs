//! What can be wrong with a driver and a device, each in its own words and with its own cure.

#![expect(unsafe_code, reason = "launching kernels is up to the caller")]
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests assert")]

use fm_cuda::driver::{Buffer, Context, Driver, DriverError, Module, Pinned, Stream};
use fm_cuda_emulated::Emulated;

/// The first error on the way to a context on device `index`, as a text with its help.
fn refused(settings: &[(&str, &str)], index: usize) -> String {
    let emulated = Emulated::probe(settings);
    let context = Driver::load_from(emulated.path()).and_then(|driver| Context::on(driver, index));
    with_help(&context.map(drop).unwrap_err())
}

fn with_help(error: &DriverError) -> String {
    format!("{error}; {}", error.help())
}

#[test]
fn every_driver_that_cannot_be_used_has_its_words() {
    let cases = [
        (
            &[("VERSION", "12010")][..],
            "too old: it runs CUDA 12.1, and 12.2 is needed; install NVIDIA driver 535",
        ),
        (&[("INIT", "803")], "do not match (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803: "),
        (&[("INIT", "803")], "restart the machine, or reload the nvidia kernel module"),
        (&[("INIT", "804")], "do not match (CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE (804: "),
        (
            &[("INIT", "999")],
            "does not start: CUDA_ERROR_UNKNOWN (999: unknown error); see whether nvidia-smi works",
        ),
        (&[("INIT", "802")], "does not start: CUDA_ERROR_SYSTEM_NOT_READY (802: "),
        (&[("INIT", "12345")], "does not start: CUDA error (12345)"),
        (&[("DEVICES", "0")], "shows no device; see what nvidia-smi says"),
        (
            &[("CAPABILITY", "6.1")],
            "cuda:0 (Emulated GPU) is too old: its compute capability is 6.1, and 7.0 is needed",
        ),
        (
            &[("MODE", "exclusive")],
            "cuda:0 (Emulated GPU) is used by another process (compute mode: exclusive); see with nvidia-smi",
        ),
        (
            &[("MODE", "prohibited")],
            "is closed to programs (compute mode: prohibited); nvidia-smi -c DEFAULT",
        ),
        (&[("MODE", "unavailable")], "cuda:0 (Emulated GPU) is busy or unavailable; see with nvidia-smi"),
        (&[("CONTEXT", "2")], "out of GPU memory (start on Emulated GPU); see with nvidia-smi what else"),
        (
            &[("CONTEXT", "214")],
            "the GPU failed while it was to start on Emulated GPU: CUDA_ERROR_ECC_UNCORRECTABLE (214: ",
        ),
        (&[("CONTEXT", "214")], "memory is faulty (nvidia-smi -q -d ECC)"),
    ];
    for (settings, piece) in cases {
        let text = refused(settings, 0);
        assert!(text.contains(piece), "{settings:?}: {text}");
    }
    assert_eq!(
        refused(&[("DEVICES", "2")], 2),
        "there is no cuda:2; 2 devices are present; devices are numbered from 0; the last is cuda:1"
    );
}

#[test]
fn no_driver_and_what_is_none() {
    let text = with_help(&Driver::load_from("/nowhere/libcuda.so.1").unwrap_err());
    assert!(text.starts_with("no NVIDIA driver (/nowhere/libcuda.so.1: cannot open"), "{text}");
    assert!(text.contains("install its driver"), "{text}");
    // A library without any of the functions.
    let text = with_help(&Driver::load_from("libm.so.6").unwrap_err());
    assert_eq!(
        text,
        "libm.so.6 is not an NVIDIA driver that can be used: it has no cuDriverGetVersion; let LD_LIBRARY_PATH and the loader find the driver's libcuda.so.1 first"
    );
}

#[test]
fn a_device_is_described() {
    let emulated = Emulated::probe(&[("CAPABILITY", "8.6"), ("MEMORY", "1000000"), ("VERSION", "12040")]);
    let driver = Driver::load_from(emulated.path()).unwrap();
    assert_eq!(driver.version().to_string(), "12.4");
    let devices = driver.devices().unwrap();
    assert_eq!(devices.len(), 1);
    let info = &devices[0];
    assert_eq!((info.name.as_str(), info.capability, info.memory), ("Emulated GPU", (8, 6), 1_000_000));
    assert_eq!((info.multiprocessors, info.shared_per_block_optin), (132, 99 << 10));
    assert!(!info.overlaps());
}

#[test]
fn memory_that_runs_out_says_how_much_was_asked_for() {
    let emulated = Emulated::probe(&[("MEMORY", "4194304"), ("PINNED", "100")]);
    let context = Context::on(Driver::load_from(emulated.path()).unwrap(), 0).unwrap();
    let stream = Stream::new(&context).unwrap();
    let held = Buffer::<u8>::zeroed(&stream, 1 << 20).unwrap();
    assert_eq!(context.free_memory().unwrap(), 3 << 20);
    let text = with_help(&Buffer::<f32>::zeroed(&stream, 1 << 20).unwrap_err());
    assert!(
        text.starts_with("out of GPU memory: 4.0 MiB asked for, 3.0 MiB free; see with nvidia-smi"),
        "{text}"
    );
    let text = Buffer::<f32>::zeroed(&stream, usize::MAX).unwrap_err().to_string();
    assert!(text.starts_with("out of GPU memory: "), "{text}");
    drop(held);
    Buffer::<f32>::zeroed(&stream, 1 << 20).unwrap();

    Pinned::<u8>::zeroed(&context, 100).unwrap();
    let text = with_help(&Pinned::<u8>::zeroed(&context, 101).unwrap_err());
    assert_eq!(
        text,
        "out of page-locked memory: 101 bytes asked for; raise the limit (ulimit -l), or use a machine with more memory"
    );
}

/// The parameter of the kernels of `probe.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Args {
    values: u64,
    factor: f32,
    count: i32,
}

#[test]
fn a_kernel_that_fails_is_found_when_it_is_waited_for() {
    for (code, piece) in [
        ("700", "finish its work: CUDA_ERROR_ILLEGAL_ADDRESS (700: "),
        ("719", "give the same command again to resume"),
        ("214", "memory is faulty"),
        ("702", "a display's watchdog"),
    ] {
        let emulated = Emulated::probe(&[("FAIL", &format!("2:{code}"))]);
        let context = Context::on(Driver::load_from(emulated.path()).unwrap(), 0).unwrap();
        let stream = Stream::new(&context).unwrap();
        let module = Module::load(&context, b".version 8.2\n.target sm_70\n").unwrap();
        let (scale, buffer) = (module.function("scale").unwrap(), Buffer::<f32>::zeroed(&stream, 4).unwrap());
        let args = Args { values: buffer.ptr(), factor: 2.0, count: 4 };
        for _ in 0..3 {
            // SAFETY: the layout is that of probe.cu, and the buffer holds four.
            unsafe { stream.launch(&scale, [1, 1, 1], 32, 0, &args).unwrap() };
        }
        let error = stream.synchronize().unwrap_err();
        let text = with_help(&error);
        assert!(text.starts_with("the GPU failed while it was to ") && text.contains(piece), "{text}");
        // It stays so.
        assert!(matches!(buffer.to_vec(&stream), Err(DriverError::Fault { .. })));
        assert!(matches!(Buffer::<f32>::zeroed(&stream, 1), Err(DriverError::Fault { .. })));
    }
}
