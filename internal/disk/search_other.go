//go:build !linux

package disk

// SearchOnly has no effect here.
const SearchOnly = 0
