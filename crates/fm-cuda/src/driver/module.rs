//! Kernels: loaded from PTX or machine code, and what is known of each.

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::Arc;

use super::context::Context;
use super::error::{DriverError, Result};
use super::symbols::{Handle, function as attribute, jit};

/// Loaded kernels.
#[derive(Debug)]
pub struct Module {
    context: Arc<Context>,
    handle: Handle,
}

impl Module {
    /// Loads PTX text (compiled by the driver, seconds the first time, cached in `~/.nv` after that), or a cubin.
    ///
    /// # Errors
    /// [`DriverError::Image`] with what the driver's compiler says.
    pub fn load(context: &Arc<Context>, image: &[u8]) -> Result<Arc<Self>> {
        // The driver reads text up to a NUL, and machine code as far as its headers say.
        let text = CString::new(image);
        let image: *const c_void = match &text {
            Ok(text) => text.as_ptr().cast(),
            Err(_) if is_whole(image) => image.as_ptr().cast(),
            Err(_) => {
                return Err(DriverError::Image {
                    name: "neither PTX nor a whole cubin".to_owned(),
                    log: String::new(),
                });
            }
        };
        let mut log = vec![0_u8; 16 << 10];
        let mut names = [jit::ERROR_LOG, jit::ERROR_LOG_BYTES];
        // A size is passed in the pointer itself; one byte less than there is, so that the text ends.
        let mut values: [*mut c_void; 2] =
            [log.as_mut_ptr().cast(), std::ptr::without_provenance_mut(log.len() - 1)];
        let mut handle: Handle = 0;
        let number = context.number(|f| {
            // SAFETY: the image is complete, see above; the options are two names and two values, whose buffer
            // outlives the call.
            unsafe { (f.module_load)(&raw mut handle, image, 2, names.as_mut_ptr(), values.as_mut_ptr()) }
        });
        if number != 0 {
            let end = log.iter().position(|&byte| byte == 0).unwrap_or(0);
            let error = context.driver().error("load the kernels", number);
            return Err(error.image(number, &String::from_utf8_lossy(&log[..end])));
        }
        Ok(Arc::new(Self { context: Arc::clone(context), handle }))
    }

    /// The kernel of that name, whose only parameter is a struct passed by value.
    ///
    /// # Errors
    /// When there is none.
    pub fn function(self: &Arc<Self>, name: &str) -> Result<Function> {
        let action = format!("find the kernel {name}");
        let text = CString::new(name).map_err(|_| DriverError::Other {
            action: action.clone(),
            name: "a NUL in its name".to_owned(),
            code: 1,
        })?;
        let mut handle: Handle = 0;
        let text: *const c_char = text.as_ptr();
        // SAFETY: the module is live, the text ends with NUL.
        self.context.call(&action, |f| unsafe { (f.module_function)(&raw mut handle, self.handle, text) })?;
        Ok(Function { module: Arc::clone(self), handle, name: name.to_owned() })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: no function of it is left, each holds the module; an error has nobody to go to.
        self.context.number(|f| unsafe { (f.module_unload)(self.handle) });
    }
}

/// Whether it is an ELF file (a cubin) that does not end before its headers say.
fn is_whole(image: &[u8]) -> bool {
    let number = |at: usize, bytes: usize| {
        let field = image.get(at..at + bytes)?;
        let mut number = [0; 8];
        number[..bytes].copy_from_slice(field);
        Some(u64::from_le_bytes(number))
    };
    // The table of sections lies last in what NVIDIA's assembler writes: e_shoff, e_shentsize, e_shnum. So do, in
    // some versions, the program headers: e_phoff, e_phentsize, e_phnum.
    let ends =
        |table, size, count| Some(number(table, 8)?.saturating_add(number(size, 2)? * number(count, 2)?));
    let end = ends(0x28, 0x3a, 0x3c).max(ends(0x20, 0x36, 0x38));
    image.starts_with(b"\x7fELF\x02") && end.is_some_and(|end| end <= image.len() as u64)
}

/// A kernel.
#[derive(Debug, Clone)]
pub struct Function {
    module: Arc<Module>,
    pub(crate) handle: Handle,
    name: String,
}

impl Function {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lets launches ask for up to `bytes` of shared memory a block; without this, 48 KiB.
    ///
    /// # Errors
    /// When the chip has less.
    pub fn allow_shared(&self, bytes: u32) -> Result<()> {
        let action = format!("give {bytes} bytes of shared memory to a block of {}", self.name);
        // SAFETY: the kernel is live.
        self.module.context.call(&action, |f| unsafe {
            (f.function_set)(self.handle, attribute::DYNAMIC_SHARED_BYTES, bytes as c_int)
        })
    }

    /// Registers a thread.
    ///
    /// # Errors
    /// What the driver says.
    pub fn registers(&self) -> Result<u32> {
        self.attribute(attribute::REGISTERS)
    }

    /// Local memory a thread in bytes: more than 0 when registers were spilled.
    ///
    /// # Errors
    /// What the driver says.
    pub fn local_bytes(&self) -> Result<u32> {
        self.attribute(attribute::LOCAL_BYTES)
    }

    /// How many blocks of `block` threads with `shared` bytes are on a multiprocessor at a time.
    ///
    /// # Errors
    /// What the driver says.
    pub fn blocks_per_multiprocessor(&self, block: u32, shared: u32) -> Result<u32> {
        let mut blocks = 0;
        // SAFETY: the kernel is live, the pointer good for the call.
        self.module.context.call("ask how many blocks fit", |f| unsafe {
            (f.occupancy)(&raw mut blocks, self.handle, block as c_int, shared as usize)
        })?;
        Ok(blocks.max(0) as u32)
    }

    fn attribute(&self, which: c_int) -> Result<u32> {
        let mut value = 0;
        // SAFETY: the kernel is live, the pointer good for the call.
        self.module.context.call("ask about a kernel", |f| unsafe {
            (f.function_attribute)(&raw mut value, which, self.handle)
        })?;
        Ok(value.max(0) as u32)
    }
}
