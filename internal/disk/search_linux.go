package disk

import "golang.org/x/sys/unix"

// SearchOnly is a flag of OpenAt: the directory is not for listing, so that permission
// to search it is enough.
const SearchOnly = unix.O_PATH
