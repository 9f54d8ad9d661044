package seal

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const goodSecret = "correct horse battery staple"

// hostile lists caches that a restore may bring: do changes a sealed cache.
var hostile = []struct {
	name   string
	do     func(t *testing.T, root, same string)
	sealAs *MACKey
	verify VerifyOptions
	state  string
	lines  []string // a prefix of each finding, in order
	reason string   // a part of Verdict.Reason
}{
	{name: "altered", state: Partial,
		do: func(t *testing.T, _, same string) {
			write(t, same, map[string]string{"store/aa.json": `{"task_name":"ax"}`})
		},
		lines: []string{`removed ".same/store/aa.json": it is altered`}},
	{name: "altered beyond the first buffer", state: Partial,
		do: func(t *testing.T, _, same string) {
			write(t, same, map[string]string{"store/blobs/01/01ff": strings.Repeat("large", 199_999) + "largE"})
		},
		lines: []string{`removed ".same/store/blobs/01/01ff": it is altered`}},
	{name: "truncated", state: Partial,
		do:    func(t *testing.T, _, same string) { must(t, os.Truncate(same+"/store/blobs/01/01ff", 100)) },
		lines: []string{`removed ".same/store/blobs/01/01ff": it is truncated: 100 bytes of 1000000`}},
	{name: "longer", state: Partial,
		do:    func(t *testing.T, _, same string) { must(t, os.Truncate(same+"/store/bb.json", 48<<30)) }, // 48 GiB of zeros, which must not be read
		lines: []string{`removed ".same/store/bb.json": it is longer than sealed: 51539607552 bytes`}},
	{name: "added", state: Partial,
		do: func(t *testing.T, _, same string) {
			write(t, same, map[string]string{"store/cc.json": "{}", "cache/zz/deep/er": "x"})
		},
		lines: []string{`removed ".same/cache/zz": it is not in the seal`, `removed ".same/store/cc.json": it is not in the seal`}},
	{name: "missing", state: Partial,
		do: func(t *testing.T, _, same string) { must(t, os.RemoveAll(same+"/store/blobs/00")) },
		lines: []string{`missing ".same/store/blobs/00": it is in the seal but does not exist`,
			`missing ".same/store/blobs/00/00ff": it is in the seal but does not exist`}},
	{name: "link in place of a file", state: Partial,
		do: func(t *testing.T, root, same string) {
			must(t, os.Remove(same+"/store/aa.json"))
			must(t, os.Symlink(root+"/precious", same+"/store/aa.json"))
		},
		lines: []string{`removed ".same/store/aa.json": it is a symbolic link, sealed as a file`}},
	{name: "link in place of a directory", state: Partial,
		do: func(t *testing.T, root, same string) {
			must(t, os.RemoveAll(same+"/cache"))
			must(t, os.Symlink(root, same+"/cache"))
		},
		lines: []string{`removed ".same/cache": it is a symbolic link, sealed as a directory`,
			`missing ".same/cache/environments"`, `missing ".same/cache/environments/env.json"`, `missing ".same/cache/nixhub"`}},
	{name: "links out, added", state: Partial,
		do: func(t *testing.T, root, same string) {
			must(t, os.Symlink("../../precious", same+"/store/zz"))
			must(t, os.Symlink(root, same+"/cache/environments/up"))
		},
		lines: []string{`removed ".same/cache/environments/up": it is not in the seal`, `removed ".same/store/zz": it is not in the seal`}},
	{name: "hard links to each other", state: Partial,
		do: func(t *testing.T, _, same string) {
			must(t, os.Remove(same+"/store/blobs/00/00ff"))
			must(t, os.WriteFile(same+"/store/blobs/00/00ff", []byte("blob"), 0o666))
			must(t, os.Link(same+"/store/blobs/00/00ff", same+"/store/zz"))
		},
		lines: []string{`removed ".same/store/blobs/00/00ff": it is a hard link`, `removed ".same/store/zz": it is not in the seal`}},
	{name: "hard link to a file outside", state: Partial,
		do: func(t *testing.T, root, same string) {
			must(t, os.Remove(same+"/store/blobs/00/00ff"))
			must(t, os.Link(root+"/blob", same+"/store/blobs/00/00ff"))
		},
		lines: []string{`removed ".same/store/blobs/00/00ff": it is a hard link`}},
	{name: "pipe", state: Partial,
		do: func(t *testing.T, _, same string) {
			must(t, os.Remove(same+"/store/bb.json"))
			must(t, unix.Mkfifo(same+"/store/bb.json", 0o666))
		},
		lines: []string{`removed ".same/store/bb.json": it is a named pipe, sealed as a file`}},
	{name: "socket", state: Partial,
		do: func(t *testing.T, _, same string) {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			must(t, err)
			defer unix.Close(fd)
			wd, err := os.Getwd()
			must(t, err)
			must(t, os.Chdir(same+"/cache")) // a socket's path is short
			defer os.Chdir(wd)
			must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: "s"}))
		},
		lines: []string{`removed ".same/cache/s": it is not in the seal`}},
	{name: "set-id", state: Partial,
		do: func(t *testing.T, _, same string) {
			must(t, os.Chmod(same+"/store/bb.json", 0o755|os.ModeSetuid))
		},
		lines: []string{`removed ".same/store/bb.json": it is a set-id file`}},
	{name: "file in place of a directory", state: Partial,
		do: func(t *testing.T, _, same string) {
			must(t, os.RemoveAll(same+"/cache/nixhub"))
			write(t, same, map[string]string{"cache/nixhub": "x"})
		},
		lines: []string{`removed ".same/cache/nixhub": it is a file, sealed as a directory`}},
	{name: "directory in place of a file", state: Partial,
		do: func(t *testing.T, _, same string) {
			must(t, os.Remove(same+"/store/aa.json"))
			write(t, same, map[string]string{"store/aa.json/x": "x"})
		},
		lines: []string{`removed ".same/store/aa.json": it is a directory, sealed as a file`}},
	{name: "names that would forge a line", state: Partial,
		do: func(t *testing.T, _, same string) {
			write(t, same, map[string]string{"store/x\n::error::forged": "", "store/y\r\x1b[2K##[add-mask]z": "", "store/\xff\xfe": "", "store/\u202e": ""})
		},
		lines: []string{`removed ".same/store/x\n::error::forged": it is not in the seal`,
			`removed ".same/store/y\r\x1b[2K#\x23[add-mask]z": it is not in the seal`,
			`removed ".same/store/\u202e": it is not in the seal`,
			`removed ".same/store/\xff\xfe": it is not in the seal`}},
	{name: "a path of 4000 bytes", state: Partial,
		do: func(t *testing.T, _, same string) {
			wd, err := os.Getwd()
			must(t, err)
			defer os.Chdir(wd)
			must(t, os.Chdir(same+"/store"))
			for range 20 {
				name := strings.Repeat("z", 200)
				must(t, os.Mkdir(name, 0o777))
				must(t, os.Chdir(name))
			}
		},
		lines: []string{`removed ".same/store/` + strings.Repeat("z", 200) + `": it is not in the seal`}},
	{name: "everything removed", state: None,
		do: func(t *testing.T, _, same string) {
			must(t, os.RemoveAll(same+"/store"))
			must(t, os.RemoveAll(same+"/cache"))
		},
		lines: slices.Repeat([]string{`missing ".same/`}, 12)},

	{name: "no seal", state: None, reason: "there is no seal",
		do: func(t *testing.T, _, same string) { must(t, os.Remove(same+"/seal.json")) }},
	{name: "an empty seal", state: None, reason: "unexpected end of file",
		do: func(t *testing.T, _, same string) { must(t, os.Truncate(same+"/seal.json", 0)) }},
	{name: "half a seal", state: None, reason: "unexpected end of file",
		do: func(t *testing.T, _, same string) { must(t, os.Truncate(same+"/seal.json", 700)) }},
	{name: "a seal without its last line", state: None, reason: "unexpected end of file",
		do: func(t *testing.T, _, same string) {
			edit(t, same, func(s string) string { return s[:strings.LastIndex(s, "],\n")+3] })
		}},
	{name: "a seal with the wrong digest", state: None, reason: "its digest does not match its contents",
		do: func(t *testing.T, _, same string) {
			write(t, same, map[string]string{"store/aa.json": "{}"})
			edit(t, same, func(s string) string { return strings.Replace(s, `"size":18`, `"size":2`, 1) })
		}},
	{name: "data after the seal", state: None, reason: "data after the end",
		do: func(t *testing.T, _, same string) { edit(t, same, func(s string) string { return s + "\n" }) }},
	{name: "a seal of another version", state: None, reason: "not a seal of version v2",
		do: func(t *testing.T, _, same string) {
			edit(t, same, func(s string) string { return strings.Replace(s, `"v2"`, `"v3"`, 1) })
		}},
	{name: "a seal that is a link", state: None, reason: "the seal can't be read",
		do: func(t *testing.T, root, same string) {
			must(t, os.Rename(same+"/seal.json", root+"/elsewhere"))
			must(t, os.Symlink("../elsewhere", same+"/seal.json"))
		}},
	{name: "a seal that is a pipe", state: None, reason: "the seal is a named pipe",
		do: func(t *testing.T, _, same string) {
			must(t, os.Remove(same+"/seal.json"))
			must(t, unix.Mkfifo(same+"/seal.json", 0o666))
		}},
	{name: "a seal that is a directory", state: None, reason: "the seal is a directory",
		do: func(t *testing.T, _, same string) {
			must(t, os.Remove(same+"/seal.json"))
			must(t, os.Mkdir(same+"/seal.json", 0o777))
		}},
	{name: "a seal of one endless line", state: None, reason: "longer than",
		do: func(t *testing.T, _, same string) {
			must(t, os.Truncate(same+"/seal.json", 0))
			must(t, os.Truncate(same+"/seal.json", maxSeal))
		}},
	{name: "a giant seal", state: None, reason: "the seal has 1099511627776 bytes, more than the limit of 536870912",
		do: func(t *testing.T, _, same string) { must(t, os.Truncate(same+"/seal.json", 1<<40)) }},
	{name: "a seal for another system", state: None, reason: `it was sealed for the system "x86_64-linux", not "aarch64-darwin"`,
		verify: VerifyOptions{System: "aarch64-darwin", Locks: "locks1"}},
	{name: "a seal for other locks", state: None, reason: `it was sealed for the locks "locks1", not "locks2"`,
		verify: VerifyOptions{System: "x86_64-linux", Locks: "locks2"}},
	{name: "no MAC although one is required", state: None, reason: "it has no MAC",
		verify: VerifyOptions{Key: mac(goodSecret)}},
	{name: "the MAC of another secret", state: None, reason: "its MAC does not match CACHEKEY_SEAL_KEY",
		sealAs: mac("tr0ub4dor&3 tr0ub4dor&3"), verify: VerifyOptions{Key: mac(goodSecret)}},
	{name: "the MAC of another seal", state: None, reason: "its MAC does not match CACHEKEY_SEAL_KEY",
		sealAs: mac(goodSecret), verify: VerifyOptions{Key: mac(goodSecret)},
		do: func(t *testing.T, _, same string) {
			whole, err := os.ReadFile(same + "/seal.json")
			must(t, err)
			write(t, same, map[string]string{"store/aa.json": "evil"})
			_, err = Make(context.Background(), MakeOptions{Root: filepath.Dir(same), Doc: here, Key: mac("any other secret"), Warnf: t.Errorf})
			must(t, err)
			_, old, _ := strings.Cut(string(whole), `"mac":`)
			edit(t, same, func(s string) string { above, _, _ := strings.Cut(s, `"mac":`); return above + `"mac":` + old })
		}},
	{name: "same is a link", state: None, reason: ".same is a symbolic link",
		do: func(t *testing.T, root, same string) {
			must(t, os.Rename(same, root+"/elsewhere"))
			must(t, os.Symlink("elsewhere", same))
		}},
	{name: "same is a file", state: None, reason: ".same is a file",
		do: func(t *testing.T, root, same string) {
			must(t, os.RemoveAll(same))
			write(t, root, map[string]string{".same": "x"})
		}},
}
