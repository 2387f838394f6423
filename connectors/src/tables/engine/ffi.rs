//! The C interface of libchdb: the only unsafe code of the warehouse.
//!
//! What the library promises (chdb.h of 26.7): connecting, closing and querying are safe from any thread; several
//! connections to one path may be open at once, each runs one statement at a time; a result must be destroyed once.
#![allow(unsafe_code)] // each use states why it is sound

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

use libloading::Library;

use crate::{Error, ErrorKind, Result};

type RawConnection = *mut *mut c_void;
type RawResult = *mut c_void;
type RawInsert = *mut c_void;
type Query = unsafe extern "C" fn(
    *mut c_void,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> RawResult;

/// `CHDBSuccess`.
const SUCCESS: c_int = 0;

struct Functions {
    connect: unsafe extern "C" fn(c_int, *mut *mut c_char) -> RawConnection,
    close: unsafe extern "C" fn(RawConnection),
    query: Query,
    result_buffer: unsafe extern "C" fn(RawResult) -> *const c_char,
    result_length: unsafe extern "C" fn(RawResult) -> usize,
    result_error: unsafe extern "C" fn(RawResult) -> *const c_char,
    result_rows_read: unsafe extern "C" fn(RawResult) -> u64,
    storage_rows_read: unsafe extern "C" fn(RawResult) -> u64,
    storage_bytes_read: unsafe extern "C" fn(RawResult) -> u64,
    rows_written: unsafe extern "C" fn(RawResult) -> u64,
    bytes_written: unsafe extern "C" fn(RawResult) -> u64,
    destroy_result: unsafe extern "C" fn(RawResult),
    insert: Query,
    append: unsafe extern "C" fn(RawInsert, *const c_void, usize) -> c_int,
    done: unsafe extern "C" fn(RawInsert) -> RawResult,
    insert_error: unsafe extern "C" fn(RawInsert) -> *const c_char,
    destroy_insert: unsafe extern "C" fn(RawInsert),
    classify: unsafe extern "C" fn(*mut c_void, *const c_char, usize, *const c_char, usize, *mut Analysis) -> c_int,
    set_signal_handlers: unsafe extern "C" fn(c_int),
}

/// `chdb_query_analysis_v1`.
#[repr(C)]
struct Analysis {
    struct_size: u32,
    statement_count: u32,
    flags: u32,
    query_class: u32,
}

/// The engine on one data directory. Closes it when dropped.
pub(super) struct Engine {
    functions: Functions,
    /// Keeps the engine open while no statement runs.
    first: NonNull<*mut c_void>,
    /// Shared by every connection: the library name and the path.
    arguments: Vec<CString>,
    /// Never unloaded: threads of the engine may outlive its last connection, and the directory may be served again.
    _library: ManuallyDrop<Library>,
}

// SAFETY: the functions are plain code; the library allows connecting and closing from any thread, and `first` is used
// for nothing else.
unsafe impl Send for Engine {}
// SAFETY: as above; `Engine` has no interior that changes after `open`.
unsafe impl Sync for Engine {}

/// What a statement answered.
pub(super) struct Answer {
    pub body: Vec<u8>,
    pub result_rows: u64,
    pub read_rows: u64,
    pub read_bytes: u64,
    pub written_rows: u64,
    pub written_bytes: u64,
}

/// Named values of `{name:Type}` placeholders.
pub(super) type Parameters = [(String, String)];

impl Engine {
    /// Loads the library and opens the data directory, making it where it is missing.
    pub(super) fn open(library: &Path, data: &Path) -> Result<Engine> {
        let object = || format!("warehouse engine {}", library.display());
        let broken = |cause: &str, error: libloading::Error| {
            Error::new(ErrorKind::Config, object(), cause)
                .hint("fetch it again with: make chdb (or name a libchdb.so of 26.7 in LINLI_CHDB)")
                .caused_by(error)
        };
        // SAFETY: the file is the one pinned by hash, or one the operator named; its initialisers are ClickHouse's own.
        let library = unsafe { Library::new(library) }.map_err(|error| broken("cannot be loaded", error))?;
        let functions = Functions::of(&library).map_err(|error| broken("lacks a function of chdb 26.7", error))?;
        let mut path = b"--path=".to_vec();
        path.extend_from_slice(data.as_os_str().as_bytes());
        // Without it, a DATETIME without a zone would mean another instant on another machine.
        let zone = b"--session_timezone=UTC".to_vec();
        let arguments =
            [b"clickhouse".to_vec(), path, zone].map(CString::new).into_iter().collect::<Result<Vec<_>, _>>();
        let arguments = arguments.map_err(|error| {
            Error::new(ErrorKind::Config, format!("warehouse {}", data.display()), "the path holds a NUL")
                .caused_by(error)
        })?;
        // SAFETY: called before the first connection, as the library asks; takes a plain integer. Rust and tokio handle
        // the signals of this process.
        unsafe { (functions.set_signal_handlers)(0) };
        let first = connect(&functions, &arguments).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("warehouse {}", data.display()), "the engine cannot open its data")
                .hint("see the log above; the directory must be writable and not be in use")
        })?;
        Ok(Engine { functions, first, arguments, _library: ManuallyDrop::new(library) })
    }

    /// A connection of its own for one request: settings and the current database end with it.
    pub(super) fn session(&self) -> Result<Session<'_>, String> {
        match connect(&self.functions, &self.arguments) {
            Some(connection) => Ok(Session { engine: self, connection, _one_thread: PhantomData }),
            None => Err("Code: 210. DB::Exception: the engine takes no further connection. (NETWORK_ERROR)".to_owned()),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: the connection is open, is closed only here, and sessions borrow the engine, so none is left.
        unsafe { (self.functions.close)(self.first.as_ptr()) };
    }
}

fn connect(functions: &Functions, arguments: &[CString]) -> Option<NonNull<*mut c_void>> {
    let mut pointers: Vec<*mut c_char> = arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
    let count = c_int::try_from(pointers.len()).ok()?;
    // SAFETY: `pointers` holds `count` strings ended by NUL that live through the call; the library only reads them.
    NonNull::new(unsafe { (functions.connect)(count, pointers.as_mut_ptr()) })
}

/// One connection; runs one statement at a time, on one thread.
pub(super) struct Session<'e> {
    engine: &'e Engine,
    connection: NonNull<*mut c_void>,
    _one_thread: PhantomData<*const ()>,
}

impl Session<'_> {
    /// Runs one statement to its end. The error is the engine's text: `Code: N. DB::Exception: …`.
    pub(super) fn query(&self, sql: &[u8], format: &str, parameters: &Parameters) -> Result<Answer, String> {
        let result = self.call(self.engine.functions.query, sql, format, parameters);
        self.answer(result)
    }

    /// Begins an insert whose data follows in pieces.
    pub(super) fn insert(&self, sql: &[u8], format: &str, parameters: &Parameters) -> Result<Insert<'_>, String> {
        let raw = self.call(self.engine.functions.insert, sql, format, parameters);
        let Some(stream) = NonNull::new(raw) else {
            return Err(OUT_OF_HANDLES.to_owned());
        };
        let insert = Insert { session: self, stream };
        match insert.error() {
            Some(error) => Err(error),
            None => Ok(insert),
        }
    }

    /// How many statements the text holds; 0 when it does not parse.
    pub(super) fn statements(&self, sql: &[u8]) -> u32 {
        let size = u32::try_from(size_of::<Analysis>()).unwrap_or(0);
        let mut analysis = Analysis { struct_size: size, statement_count: 0, flags: 0, query_class: 0 };
        // SAFETY: the connection is open; the text is passed with its length and lives through the call; no target
        // database is allowed as NULL; `analysis` states its own size.
        let state = unsafe {
            (self.engine.functions.classify)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                std::ptr::null(),
                0,
                &mut analysis,
            )
        };
        if state == SUCCESS { analysis.statement_count } else { 0 }
    }

    fn raw(&self) -> *mut c_void {
        // SAFETY: `chdb_connect` returned this pointer to the connection's handle, and it is closed only by `drop`.
        unsafe { *self.connection.as_ptr() }
    }

    fn call(&self, function: Query, sql: &[u8], format: &str, parameters: &Parameters) -> *mut c_void {
        let names: Vec<*const c_char> = parameters.iter().map(|(name, _)| name.as_ptr().cast()).collect();
        let name_lengths: Vec<usize> = parameters.iter().map(|(name, _)| name.len()).collect();
        let values: Vec<*const c_char> = parameters.iter().map(|(_, value)| value.as_ptr().cast()).collect();
        let value_lengths: Vec<usize> = parameters.iter().map(|(_, value)| value.len()).collect();
        // SAFETY: the connection is open and used by this thread alone; every text is passed with its length and lives
        // through the call; the four arrays have the length that is passed.
        unsafe {
            function(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                names.as_ptr(),
                name_lengths.as_ptr(),
                values.as_ptr(),
                value_lengths.as_ptr(),
                parameters.len(),
            )
        }
    }

    /// Copies a result out and destroys it.
    fn answer(&self, result: RawResult) -> Result<Answer, String> {
        if result.is_null() {
            return Err(OUT_OF_HANDLES.to_owned());
        }
        let functions = &self.engine.functions;
        // SAFETY: `result` is a live result, read here and destroyed once, at the end; its buffer has the length that
        // the library states and lives until then (it may be null when it is empty).
        unsafe {
            let error = (functions.result_error)(result);
            let answer = if error.is_null() {
                let (buffer, length) = ((functions.result_buffer)(result), (functions.result_length)(result));
                let body = if buffer.is_null() || length == 0 {
                    Vec::new()
                } else {
                    std::slice::from_raw_parts(buffer.cast::<u8>(), length).to_vec()
                };
                Ok(Answer {
                    body,
                    result_rows: (functions.result_rows_read)(result),
                    read_rows: (functions.storage_rows_read)(result),
                    read_bytes: (functions.storage_bytes_read)(result),
                    written_rows: (functions.rows_written)(result),
                    written_bytes: (functions.bytes_written)(result),
                })
            } else {
                Err(text(error))
            };
            (functions.destroy_result)(result);
            answer
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // SAFETY: the connection is open and closed only here; inserts borrow the session, so none is left.
        unsafe { (self.engine.functions.close)(self.connection.as_ptr()) };
    }
}

/// An insert in progress. Dropped before [`Insert::finish`], it is cancelled.
pub(super) struct Insert<'s> {
    session: &'s Session<'s>,
    stream: NonNull<c_void>,
}

impl Insert<'_> {
    pub(super) fn append(&mut self, data: &[u8]) -> Result<(), String> {
        // SAFETY: the stream is live; the library copies the `len` bytes before it returns.
        let state =
            unsafe { (self.session.engine.functions.append)(self.stream.as_ptr(), data.as_ptr().cast(), data.len()) };
        if state == SUCCESS {
            return Ok(());
        }
        Err(self.error().unwrap_or_else(|| OUT_OF_HANDLES.to_owned()))
    }

    /// Commits, and tells what was written.
    pub(super) fn finish(self) -> Result<Answer, String> {
        // SAFETY: the stream is live and finished once: this takes `self`. The result is destroyed by `answer`.
        let result = unsafe { (self.session.engine.functions.done)(self.stream.as_ptr()) };
        self.session.answer(result)
    }

    fn error(&self) -> Option<String> {
        // SAFETY: the stream is live; the text, if there is one, lives as long as the stream.
        unsafe {
            let error = (self.session.engine.functions.insert_error)(self.stream.as_ptr());
            (!error.is_null()).then(|| text(error))
        }
    }
}

impl Drop for Insert<'_> {
    fn drop(&mut self) {
        // SAFETY: the stream is live and destroyed only here; the library cancels it first when it is not finished.
        unsafe { (self.session.engine.functions.destroy_insert)(self.stream.as_ptr()) };
    }
}

const OUT_OF_HANDLES: &str = "Code: 1001. DB::Exception: the engine gave no answer. (STD_EXCEPTION)";

/// # Safety
/// `error` must be a string ended by NUL that lives through the call.
unsafe fn text(error: *const c_char) -> String {
    // SAFETY: by the contract above.
    unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned()
}

impl Functions {
    fn of(library: &Library) -> Result<Functions, libloading::Error> {
        // SAFETY: each type is that of the function in chdb.h of 26.7; `chdb_connection`, `chdb_result *` and
        // `chdb_insert_stream` are opaque pointers.
        unsafe {
            Ok(Functions {
                connect: *library.get(b"chdb_connect\0")?,
                close: *library.get(b"chdb_close_conn\0")?,
                query: *library.get(b"chdb_query_with_params_n\0")?,
                result_buffer: *library.get(b"chdb_result_buffer\0")?,
                result_length: *library.get(b"chdb_result_length\0")?,
                result_error: *library.get(b"chdb_result_error\0")?,
                result_rows_read: *library.get(b"chdb_result_rows_read\0")?,
                storage_rows_read: *library.get(b"chdb_result_storage_rows_read\0")?,
                storage_bytes_read: *library.get(b"chdb_result_storage_bytes_read\0")?,
                rows_written: *library.get(b"chdb_result_rows_written\0")?,
                bytes_written: *library.get(b"chdb_result_bytes_written\0")?,
                destroy_result: *library.get(b"chdb_destroy_query_result\0")?,
                insert: *library.get(b"chdb_stream_insert_with_params_n\0")?,
                append: *library.get(b"chdb_stream_append\0")?,
                done: *library.get(b"chdb_stream_done\0")?,
                insert_error: *library.get(b"chdb_stream_insert_error\0")?,
                destroy_insert: *library.get(b"chdb_destroy_insert_stream\0")?,
                classify: *library.get(b"chdb_classify_query_n\0")?,
                set_signal_handlers: *library.get(b"chdb_set_signal_handlers_enabled\0")?,
            })
        }
    }
}
