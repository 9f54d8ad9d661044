package nixenv

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cachekey/internal/disk"
	"cachekey/internal/message"
)

const (
	maxLock  = 4 << 20 // bytes of a flake.lock; nixpkgs' largest users stay below 1 MiB
	maxChain = 64      // steps from an input that follows another
)

// A lockFile is the part of a flake.lock that describes its inputs.
// https://nix.dev/manual/nix/latest/command-ref/new-cli/nix3-flake#lock-files
type lockFile struct {
	Root    string              `json:"root"`
	Version int                 `json:"version"`
	Nodes   map[string]lockNode `json:"nodes"`
}

type lockNode struct {
	Inputs map[string]lockEdge `json:"inputs"`
	Locked map[string]any      `json:"locked"`
	Flake  *bool               `json:"flake"`
}

// A lockEdge is the name of a node, or a path of inputs from the root to follow.
type lockEdge struct {
	node    string
	follows []string
}

// UnmarshalJSON parses a string or a list of strings.
func (e *lockEdge) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &e.node) == nil {
		return nil
	}
	return json.Unmarshal(data, &e.follows)
}

// findFlake returns the directory of the nearest flake.nix in or above dir, up to
// the git root, as Nix does, or "" if there is none.
func findFlake(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, "flake.nix")); err == nil {
			return dir
		}
		_, err := os.Lstat(filepath.Join(dir, ".git"))
		if err == nil || dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
}

var errNoFlake = message.WithHint(errors.New("the workspace is not in a flake, so it has no flake.lock"),
	"write NAME@VERSION instead, as in go@1.25.4, or add a flake.nix and run nix flake lock")

func readLock(flake string) (*lockFile, error) {
	if flake == "" {
		return nil, errNoFlake
	}
	name := filepath.Join(flake, "flake.lock")
	data, err := disk.ReadTarget(name, maxLock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, message.WithHint(fmt.Errorf("%s does not exist", name), "run nix flake lock in %s", flake)
	}
	if err != nil {
		return nil, err
	}
	var lock lockFile
	if err := disk.DecodeJSON(data, &lock); err != nil {
		return nil, message.WithHint(fmt.Errorf("%s: %w", name, err), "restore it from git, or remove it and run nix flake lock")
	}
	if lock.Version < 5 || lock.Version > 7 {
		return nil, fmt.Errorf("%s has version %d; supported are 5 to 7", name, lock.Version)
	}
	return &lock, nil
}

// input returns the node of the root's input called name.
func (l *lockFile) input(name string) (lockNode, error) {
	id, err := l.follow(l.Root, name, maxChain)
	if err != nil {
		return lockNode{}, err
	}
	return l.Nodes[id], nil
}

func (l *lockFile) follow(from, name string, left int) (string, error) {
	edge, ok := l.Nodes[from].Inputs[name]
	switch {
	case !ok:
		return "", fmt.Errorf("flake.lock has no input %q", name)
	case left == 0:
		return "", fmt.Errorf("the input %q of flake.lock follows itself", name)
	case edge.node != "":
		if _, ok := l.Nodes[edge.node]; !ok {
			return "", fmt.Errorf("flake.lock has no node %q, to which its input %q refers", edge.node, name)
		}
		return edge.node, nil
	case len(edge.follows) == 0:
		return "", fmt.Errorf("the input %q of flake.lock follows nothing", name)
	}
	at := l.Root
	for _, step := range edge.follows {
		next, err := l.follow(at, step, left-1)
		if err != nil {
			return "", err
		}
		at = next
	}
	return at, nil
}

// names lists the inputs of the root, sorted.
func (l *lockFile) names() []string {
	var names []string
	for name := range l.Nodes[l.Root].Inputs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var (
	fullRevision = regexp.MustCompile(`^[0-9a-f]{40}$`)
	forge        = regexp.MustCompile(`^(github|gitlab|sourcehut):[A-Za-z0-9_.~-]+/[A-Za-z0-9_.~-]+/[0-9a-f]{40}(\?.*)?$`)
)

// reference returns the flake reference of a locked node, as `nix flake metadata`
// prints it in locked.url, and the string that stands for it in a hash.
func (n lockNode) reference() (ref, locked string, err error) {
	text := func(name string) string { s, _ := n.Locked[name].(string); return s }
	query := url.Values{}
	for _, name := range []string{"dir", "host", "narHash"} {
		if v := text(name); v != "" {
			query.Set(name, v)
		}
	}
	locked = text("narHash")
	if locked == "" {
		locked = text("rev")
	}
	if locked == "" {
		return "", "", errors.New("its node in flake.lock has neither narHash nor rev")
	}
	if dir := text("dir"); dir != "" {
		locked += "?dir=" + dir
	}
	switch kind := text("type"); kind {
	case "github", "gitlab", "sourcehut":
		ref = kind + ":" + url.PathEscape(text("owner")) + "/" + url.PathEscape(text("repo")) + "/" + text("rev")
		if !fullRevision.MatchString(text("rev")) {
			return "", "", fmt.Errorf("its revision %q in flake.lock is invalid", text("rev"))
		}
	case "git":
		for _, name := range []string{"ref", "rev"} {
			if v := text(name); v != "" {
				query.Set(name, v)
			}
		}
		for _, name := range []string{"shallow", "submodules", "lfs", "exportIgnore", "allRefs"} {
			if on, _ := n.Locked[name].(bool); on {
				query.Set(name, "1")
			}
		}
		ref = "git+" + text("url")
	case "tarball":
		ref = "tarball+" + text("url")
	case "path":
		ref = "path:" + (&url.URL{Path: text("path")}).EscapedPath()
		if !filepath.IsAbs(text("path")) {
			return "", "", message.WithHint(errors.New("its input is a directory of this repository"),
				"add the package to the packages of your own flake, and write .#NAME")
		}
	default:
		return "", "", fmt.Errorf("its type %q in flake.lock is not supported", kind)
	}
	if len(query) > 0 {
		separator := "?"
		if strings.Contains(ref, "?") {
			separator = "&"
		}
		ref += separator + query.Encode()
	}
	return ref, locked, nil
}

// resolveInput resolves a flake reference other than ".": the name of an input of
// flake.lock, or a reference with a revision.
func (r *Resolver) resolveInput(t *Tool, flake string) error {
	if forge.MatchString(flake) {
		t.Flake, t.Locked = flake, flake
		t.nixpkgs = strings.HasPrefix(strings.ToLower(flake), "github:nixos/nixpkgs/")
		return nil
	}
	if strings.ContainsAny(flake, ":/?") {
		return message.WithHint(fmt.Errorf("the flake %q is not locked", flake),
			"add it to the inputs of flake.nix, run nix flake lock, and write NAME#%s", t.Attr)
	}
	lock, err := r.lock()
	if err != nil {
		return err
	}
	node, err := lock.input(flake)
	if err != nil {
		hint := "add it to the inputs of flake.nix, then run nix flake lock"
		if near := message.Nearest(flake, lock.names()); near != "" && near != flake {
			hint = fmt.Sprintf("did you mean %s#%s?", near, t.Attr)
		}
		return message.WithHint(err, "%s", hint)
	}
	if node.Flake != nil && !*node.Flake {
		return fmt.Errorf("the input %q is not a flake", flake)
	}
	t.Flake, t.Locked, err = node.reference()
	if err != nil {
		return fmt.Errorf("the flake %q: %w", flake, err)
	}
	return nil
}
