//! The binding on the emulated driver: memory, kernels, streams, graphs, events.
#![expect(unsafe_code, reason = "launching kernels is up to the caller")]
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests assert")]
#![expect(clippy::float_cmp, reason = "products of small whole numbers are exact")]

use std::sync::Arc;

use fm_cuda::driver::{Buffer, Context, Driver, DriverError, Event, Function, Module, Pinned, Stream};
use fm_cuda_emulated::Emulated;

/// The parameter of the kernels of `probe.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Args {
    values: u64,
    factor: f32,
    count: i32,
}

const TEXT: &[u8] = b".version 8.2\n.target sm_70\n.address_size 64\n";

/// What may not be recorded, and its name.
type Misuse<'a> = (&'a str, &'a dyn Fn() -> Result<(), DriverError>);

struct Device {
    // Dropped in this order: the library last.
    stream: Arc<Stream>,
    module: Arc<Module>,
    context: Arc<Context>,
    emulated: Emulated,
}

impl Device {
    fn new(settings: &[(&str, &str)]) -> Self {
        let emulated = Emulated::probe(settings);
        let context = Context::on(Driver::load_from(emulated.path()).unwrap(), 0).unwrap();
        let module = Module::load(&context, TEXT).unwrap();
        Self { stream: Stream::new(&context).unwrap(), module, context, emulated }
    }

    fn scale(&self, values: &Buffer<f32>, factor: f32) -> Result<(), DriverError> {
        let args = Args { values: values.ptr(), factor, count: values.len() as i32 };
        // SAFETY: the layout is that of probe.cu, and the buffer holds that many.
        unsafe { self.stream.launch(&self.function("scale"), [3, 1, 1], 64, 0, &args) }
    }

    fn function(&self, name: &str) -> Function {
        self.module.function(name).unwrap()
    }

    fn numbers(&self, count: usize) -> Buffer<f32> {
        let values: Vec<f32> = (0..count).map(|i| i as f32).collect();
        Buffer::of(&self.stream, &values).unwrap()
    }
}

#[test]
fn memory_starts_as_zeros_and_keeps_what_it_is_given() {
    let d = Device::new(&[]);
    let buffer = Buffer::<u32>::zeroed(&d.stream, 7).unwrap();
    assert_eq!(buffer.to_vec(&d.stream).unwrap(), [0; 7]);
    buffer.upload(&d.stream, 2, &[5, 6, 7]).unwrap();
    let other = Buffer::<u32>::zeroed(&d.stream, 4).unwrap();
    other.copy_from(&d.stream, 1, &buffer, 3, 3).unwrap();
    assert_eq!(other.to_vec(&d.stream).unwrap(), [0, 6, 7, 0]);
    let mut part = [9; 2];
    buffer.download(&d.stream, 1, &mut part).unwrap();
    assert_eq!(part, [0, 5]);
    buffer.zero(&d.stream).unwrap();
    assert_eq!(buffer.to_vec(&d.stream).unwrap(), [0; 7]);
    let empty = Buffer::<f32>::zeroed(&d.stream, 0).unwrap();
    assert!(empty.is_empty() && empty.to_vec(&d.stream).unwrap().is_empty());
}

#[test]
fn places_beyond_the_end_are_refused() {
    let d = Device::new(&[]);
    let buffer = Buffer::<f32>::zeroed(&d.stream, 4).unwrap();
    for at in [2, 5, usize::MAX] {
        let beyond = std::panic::AssertUnwindSafe(|| buffer.upload(&d.stream, at, &[1.0; 3]));
        assert!(std::panic::catch_unwind(beyond).is_err(), "{at}");
    }
}

#[test]
fn kernels_compute_on_any_thread() {
    let d = Device::new(&[]);
    let buffer = d.numbers(1000);
    std::thread::scope(|threads| {
        // The context is bound to the thread that calls, whichever it is.
        threads.spawn(|| d.scale(&buffer, 3.0).unwrap()).join().unwrap();
    });
    let values = buffer.to_vec(&d.stream).unwrap();
    assert!(values.iter().enumerate().all(|(i, &v)| v == 3.0 * i as f32));

    let reverse = d.function("reverse");
    let args = Args { values: buffer.ptr(), factor: 0.0, count: 1000 };
    // SAFETY: as in `scale`.
    unsafe { d.stream.launch(&reverse, [8, 1, 1], 128, 128 * 4, &args).unwrap() };
    let reversed = buffer.to_vec(&d.stream).unwrap();
    for (part, back) in values.chunks(128).zip(reversed.chunks(128)) {
        assert!(part.iter().eq(back.iter().rev()));
    }
}

#[test]
fn a_graph_repeats_what_was_recorded() {
    let d = Device::new(&[]);
    let (buffer, copy) = (d.numbers(10), Buffer::<f32>::zeroed(&d.stream, 10).unwrap());
    let record = || {
        d.scale(&buffer, 2.0)?;
        d.scale(&buffer, 5.0)?;
        copy.zero(&d.stream)?;
        copy.copy_from(&d.stream, 0, &buffer, 0, 5)
    };
    let graph = d.stream.capture(record).unwrap();
    assert_eq!(graph.nodes(), 4);
    assert_eq!(buffer.to_vec(&d.stream).unwrap()[1], 1.0, "recorded, not done");
    graph.upload(&d.stream).unwrap();
    for _ in 0..3 {
        // SAFETY: both buffers are there.
        unsafe { d.stream.launch_graph(&graph).unwrap() };
    }
    assert_eq!(buffer.to_vec(&d.stream).unwrap()[7], 7000.0);
    assert_eq!(copy.to_vec(&d.stream).unwrap()[3..7], [3000.0, 4000.0, 0.0, 0.0]);
}

#[test]
fn what_cannot_be_recorded_says_so() {
    let d = Device::new(&[]);
    let buffer = d.numbers(10);
    let misuses: [Misuse<'_>; 6] = [
        ("wait", &|| d.stream.synchronize()),
        ("allocate", &|| Buffer::<f32>::zeroed(&d.stream, 1).map(drop)),
        ("load", &|| Module::load(&d.context, TEXT).map(drop)),
        ("upload", &|| buffer.upload(&d.stream, 0, &[1.0])),
        ("download", &|| buffer.to_vec(&d.stream).map(drop)),
        ("lock", &|| Pinned::<f32>::zeroed(&d.context, 1).map(drop)),
    ];
    for (name, misuse) in misuses {
        let error = d.stream.capture(misuse).map(drop).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, DriverError::Capture { .. }), "{name}: {text}");
        assert!(text.contains("while a graph is recorded"), "{name}: {text}");
        // The stream is as before.
        d.scale(&buffer, 1.0).unwrap();
        d.stream.synchronize().unwrap();
    }
    assert!(d.stream.end_capture().is_err(), "nothing was begun");
    d.stream.begin_capture().unwrap();
    assert!(d.stream.begin_capture().is_err(), "begun already");
    d.stream.end_capture().unwrap();
}

#[test]
fn locked_memory_waits_for_the_copies_that_it_is_lent_to() {
    let d = Device::new(&[]);
    let buffer = d.numbers(100);
    let mut host = Pinned::<f32>::zeroed(&d.context, 100).unwrap();
    assert_eq!(host.read().unwrap()[99], 0.0);
    d.scale(&buffer, 2.0).unwrap();
    // The emulated device has done nothing yet when this returns.
    buffer.download_async(&d.stream, 0, &mut host).unwrap();
    assert_eq!(host.read().unwrap()[99], 198.0);

    host.write().unwrap().fill(4.0);
    buffer.upload_async(&d.stream, 0, &mut host).unwrap();
    host.write().unwrap().fill(5.0);
    assert_eq!(buffer.to_vec(&d.stream).unwrap()[50], 4.0, "what was there when it was queued");

    // Two streams, each with a copy of its own.
    let other = Stream::new(&d.context).unwrap();
    buffer.download_async(&d.stream, 0, &mut host).unwrap();
    buffer.download_async(&other, 0, &mut host).unwrap();
    assert_eq!(host.read().unwrap()[0], 4.0);
}

#[test]
fn events_order_streams_and_take_times() {
    let d = Device::new(&[]);
    let other = Stream::new(&d.context).unwrap();
    let (start, end) = (Event::new(&d.context).unwrap(), Event::new(&d.context).unwrap());
    assert!(start.happened().unwrap(), "one that was never recorded");
    let buffer = d.numbers(1000);
    start.record(&d.stream).unwrap();
    d.scale(&buffer, 2.0).unwrap();
    end.record(&d.stream).unwrap();
    assert!(!end.happened().unwrap());
    other.wait(&end).unwrap();
    let mut values = [0.0];
    buffer.download(&other, 999, &mut values).unwrap();
    assert_eq!(values, [1998.0]);
    assert!(end.happened().unwrap());
    assert!(start.milliseconds_to(&end).unwrap() >= 0.0);
}

#[test]
fn launches_beyond_the_chip_are_refused() {
    let d = Device::new(&[("CAPABILITY", "8.6")]);
    let reverse = d.function("reverse");
    let buffer = d.numbers(4);
    let args = Args { values: buffer.ptr(), factor: 0.0, count: 4 };
    // SAFETY: as in `scale`.
    let launch = |shared| unsafe { d.stream.launch(&reverse, [1, 1, 1], 128, shared, &args) };
    launch(48 << 10).unwrap();
    let text = launch((48 << 10) + 1).unwrap_err().to_string();
    assert_eq!(
        text,
        "cannot launch reverse with 1x1x1 blocks of 128 threads and 49153 bytes each: CUDA_ERROR_INVALID_VALUE (1: invalid argument)"
    );
    reverse.allow_shared(99 << 10).unwrap();
    launch(99 << 10).unwrap();
    assert_eq!(reverse.blocks_per_multiprocessor(128, 99 << 10).unwrap(), 1);
    let text = reverse.allow_shared(100 << 10).unwrap_err().to_string();
    assert!(text.starts_with("cannot give 102400 bytes of shared memory to a block of reverse: "), "{text}");
    // SAFETY: as above.
    let error = unsafe { d.stream.launch_overlapping(&reverse, [1, 1, 1], 128, 512, &args) }.unwrap_err();
    assert!(matches!(error, DriverError::NoOverlap { .. }), "{error}");
    d.stream.synchronize().unwrap();

    let hopper = Device::new(&[]);
    let (buffer, scale) = (hopper.numbers(4), hopper.function("scale"));
    let args = Args { values: buffer.ptr(), factor: 2.0, count: 4 };
    // SAFETY: as above.
    unsafe { hopper.stream.launch_overlapping(&scale, [1, 1, 1], 128, 512, &args).unwrap() };
    assert_eq!(buffer.to_vec(&hopper.stream).unwrap(), [0.0, 2.0, 4.0, 6.0]);
}

#[test]
fn images_that_are_none_are_refused_with_the_compilers_words() {
    let d = Device::new(&[]);
    let refused = |image: &[u8]| Module::load(&d.context, image).unwrap_err().to_string();
    let text = refused(b"not ptx");
    assert!(text.contains("CUDA_ERROR_INVALID_PTX (218") && text.contains("Missing .version"), "{text}");
    let text = refused(b".version 9.9\n.target sm_70\n");
    assert!(text.contains("CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222"), "{text}");
    let text = refused(b".version 8.2\n.target sm_100\n");
    assert!(text.contains("CUDA_ERROR_NO_BINARY_FOR_GPU (209"), "{text}");
    let text = refused(b"\x7fELF\x02\x01\0\0cut");
    assert!(text.contains("neither PTX nor a whole cubin"), "{text}");
    let text = d.module.function("absent").unwrap_err().to_string();
    assert!(text.starts_with("cannot find the kernel absent: CUDA_ERROR_NOT_FOUND (500"), "{text}");
}

#[test]
fn all_is_freed() {
    let d = Device::new(&[]);
    let live = d.emulated.live();
    {
        let buffer = d.numbers(3);
        let _host = Pinned::<u8>::zeroed(&d.context, 5).unwrap();
        let _stream = Stream::new(&d.context).unwrap();
        let _graph = d.stream.capture(|| d.scale(&buffer, 2.0)).unwrap();
        assert_eq!(d.emulated.live(), live + 3);
    }
    assert_eq!(d.emulated.live(), live);
}
