package measure

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FileSystem returns the type of the file system that path is on.
func FileSystem(path string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "an unknown file system"
	}
	names := map[int64]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.TMPFS_MAGIC: "tmpfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.XFS_SUPER_MAGIC: "XFS", unix.OVERLAYFS_SUPER_MAGIC: "overlayfs",
	}
	if name := names[int64(st.Type)]; name != "" {
		return name
	}
	return fmt.Sprintf("a file system of type %#x", st.Type)
}
