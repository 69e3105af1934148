//! Functions of a circuit: straight-line programs with typed parameters and results that other instructions call.
//!
//! All instructions of a circuit are rows of one table, so that a value has one name everywhere and every table by value serves
//! functions, too. First come the *bodies* of the functions, in the order of [`Circuit::functions`], then the main program. An
//! instruction uses values of its own body only; a function calls functions before it, so none calls itself.
//!
//! The parameters of a function are the `input` and `input_digits` instructions that its body begins with. A call defines the first
//! result; the `result` instructions that follow it directly define the others. What a function computes serves the ONNX node of each
//! call: its instructions name none.

use crate::circuit::{Circuit, Definition};
use crate::entity::{Entity, FunctionId, Value};
use crate::inst::Inst;
use std::ops::AddAssign;

/// A function of a circuit. Its body is the rows of [`Circuit::values`] from the end of the function before it to its own end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name; an identifier.
    pub name: String,
    /// The value behind the last one of its body.
    pub end: Value,
    /// The values that a call returns, at least one: ciphertexts of the body.
    pub results: Vec<Value>,
}

/// A contiguous range of the table of values that runs as one: the body of a function, or the main program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// The function; none for the main program.
    pub function: Option<FunctionId>,
    /// Its first value.
    pub first: Value,
    /// The value behind its last one.
    pub end: Value,
}

impl Body {
    /// The values of the body in the order of definition.
    pub fn values(self) -> impl DoubleEndedIterator<Item = Value> + ExactSizeIterator {
        (self.first.0..self.end.0.max(self.first.0)).map(Value)
    }

    /// Whether `value` is one of the body.
    pub fn contains(self, value: Value) -> bool {
        (self.first..self.end).contains(&value)
    }
}

impl Circuit {
    /// The bodies of the functions in the order of the table, then the main program.
    pub fn bodies(&self) -> impl DoubleEndedIterator<Item = Body> + ExactSizeIterator {
        (0..self.functions.len() as u32 + 1).map(|at| self.body_at(FunctionId(at)))
    }

    /// The main program.
    pub fn main(&self) -> Body {
        self.body_at(self.functions.next_key())
    }

    /// The body of a function; `None` where the table has no such function.
    pub fn body(&self, function: FunctionId) -> Option<Body> {
        (function < self.functions.next_key()).then(|| self.body_at(function))
    }

    /// The body that contains `value`. Cost: O(log of the number of functions).
    pub fn body_of(&self, value: Value) -> Body {
        let before = |function: &Function| function.end <= value;
        let at = self.functions.as_slice().partition_point(before);
        self.body_at(FunctionId(at as u32))
    }

    /// The body at a place of the table of functions; at its end, the main program.
    fn body_at(&self, at: FunctionId) -> Body {
        let end = |at: FunctionId| self.functions.get(at).map(|function| function.end);
        let before =
            at.0.checked_sub(1)
                .and_then(|before| end(FunctionId(before)));
        let own = end(at);
        Body {
            function: own.map(|_| at),
            first: before.unwrap_or(Value(0)),
            end: own.unwrap_or(self.values.next_key()),
        }
    }

    /// The values of a body with their definitions, in order.
    pub fn definitions(&self, body: Body) -> impl DoubleEndedIterator<Item = (Value, &Definition)> {
        body.values()
            .filter_map(|value| Some((value, self.values.get(value)?)))
    }

    /// The parameters of a function in order: the inputs that its body begins with.
    pub fn parameters(&self, function: FunctionId) -> impl Iterator<Item = Value> {
        let values = self.body(function).into_iter().flat_map(Body::values);
        values.take_while(|&value| self.is_input(value))
    }

    /// Whether a value comes from outside of its body: the value of an input port, a parameter or an import.
    pub fn is_input(&self, value: Value) -> bool {
        self.values
            .get(value)
            .is_some_and(|definition| definition.inst.is_input())
    }

    /// The further results of a call that are defined, each with the index of the result.
    pub fn further_results(&self, call: Value) -> impl Iterator<Item = (Value, u32)> {
        let following = (call.0.saturating_add(1)..self.values.len() as u32).map(Value);
        following.map_while(move |value| match self.values.get(value)?.inst {
            Inst::Result { call: of, index } if of == call => Some((value, index)),
            _ => None,
        })
    }

    /// The values that output ports and exports use.
    pub fn leaving(&self) -> impl Iterator<Item = Value> {
        let ports = self
            .outputs
            .iter()
            .flat_map(|port| port.values.iter().copied());
        ports.chain(self.exports().iter().map(|link| link.value))
    }

    /// The values of a body that outlive it: the results of a function; for the main program the values of output ports and
    /// exports.
    pub fn results_of(&self, body: Body) -> Vec<Value> {
        match body
            .function
            .and_then(|function| self.functions.get(function))
        {
            Some(function) => function.results.clone(),
            None => self.leaving().collect(),
        }
    }

    /// Adds to the amount of each call the amounts of the body that it runs, where `own` has an amount for each instruction by
    /// itself. The entries of the main program then add up to the amount of one run, those of a function to the amount of one
    /// call.
    pub fn with_calls<T: AddAssign + Clone + Default>(&self, mut own: Vec<T>) -> Vec<T> {
        let mut totals: Vec<T> = Vec::with_capacity(self.functions.len());
        for body in self.bodies() {
            let mut total = T::default();
            for (value, definition) in self.definitions(body) {
                let Some(entry) = own.get_mut(value.index()) else {
                    continue;
                };
                if let Inst::Call { function, .. } = definition.inst
                    && let Some(called) = totals.get(function.index())
                {
                    *entry += called.clone();
                }
                total += entry.clone();
            }
            totals.push(total);
        }
        own
    }

    /// How often one run of the circuit executes the body of each function, in the order of the table; at most `u64::MAX`.
    pub fn runs_of_functions(&self) -> Vec<u64> {
        let mut runs = vec![0u64; self.functions.len()];
        for body in self.bodies().rev() {
            let own = body
                .function
                .map_or(1, |f| runs.get(f.index()).copied().unwrap_or(0));
            for (_, definition) in self.definitions(body) {
                if let Inst::Call { function, .. } = definition.inst
                    && let Some(called) = runs.get_mut(function.index())
                {
                    *called = called.saturating_add(own);
                }
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests;
