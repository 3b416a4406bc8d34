//! What the files of reports and plans have in common: how a file gets its name, CSV, JSON written item by item, and text that
//! is safe to show.

mod csv;
mod file;
mod json;
mod json_array;
mod row;
pub mod text;
mod unfinished;

pub use csv::CsvStyle;
pub(crate) use csv::{CsvRows, ExcelCell, Guarded};
pub use file::ReportFile;
pub(crate) use file::{
    CompleteFile, OutputFile, persist, private_temp_file_in, rename, rename_folder, rename_new, temp_file_in,
    temp_folder_in,
};
pub(crate) use json::add_json;
pub(crate) use json_array::JsonArray;
pub(crate) use row::{RowFormat, add_quoted, add_row};
pub use unfinished::{Naming, remove_unfinished};
