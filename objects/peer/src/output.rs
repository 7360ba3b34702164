//! Printing results for people or for machines.

use objects::CallError;
use serde_json::Value;

use crate::exit::Exit;
use crate::stdout::say;

/// One line of JSON.
pub(crate) fn json(value: &Value) {
    say!("{value}");
}

/// Reports an error of the library and what it means for the caller.
pub(crate) fn error(as_json: bool, error: &objects::Error) -> Exit {
    let exit = match error.ran() {
        objects::Ran::No => Exit::NotExecuted,
        objects::Ran::Failed => Exit::Failed,
        objects::Ran::Unknown => Exit::Indeterminate,
    };
    if as_json {
        json(&serde_json::json!({ "error": error.to_string(), "exit": exit as u8 }));
    } else {
        eprintln!("{error}");
    }
    exit
}

/// Reports how a call ended.
pub(crate) fn call(as_json: bool, ended: Result<Value, CallError<Value>>) -> Exit {
    let (exit, outcome, detail) = match ended {
        Ok(value) => {
            if as_json {
                json(&serde_json::json!({ "outcome": "returned", "value": value }));
            } else {
                say!("{value}");
            }
            return Exit::Success;
        }
        Err(error) => {
            let detail = error.to_string();
            match error {
                CallError::NotExecuted(_) => (Exit::NotExecuted, "not executed", detail),
                CallError::Failed(_) => (Exit::Failed, "failed", detail),
                CallError::Executed => (Exit::Indeterminate, "executed", detail),
                CallError::Indeterminate(_) => (Exit::Indeterminate, "indeterminate", detail),
            }
        }
    };
    if as_json {
        json(&serde_json::json!({ "outcome": outcome, "error": detail, "exit": exit as u8 }));
    } else {
        eprintln!("{detail}");
    }
    exit
}
