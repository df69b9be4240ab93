//! The engines that keep.
