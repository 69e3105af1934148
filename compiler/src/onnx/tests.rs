//! Tests of the front end on models built in memory.
