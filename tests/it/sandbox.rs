//! The sandbox speaks as the reference pages say.
