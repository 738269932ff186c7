package model

// MaxDecode is the most tokens of a pass that gives, for each of them, the same
// bits as passes with one token each.
const MaxDecode = manyTokens - 1
