package nixenv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"cachekey/internal/dotsame"
)

// NixhubPath is where the resolution of a tool's version is remembered, relative
// to the workspace root.
func NixhubPath(name, version string) string {
	sum := sha256.Sum256([]byte(name + "@" + version))
	return path.Join(dotsame.Nixhub, hex.EncodeToString(sum[:])+".json")
}

// nixhub gives a version of a package, remembered or asked for.
func (r *Resolver) nixhub(ctx context.Context, name, version string) (*nixhubPackage, error) {
	file := NixhubPath(name, version)
	got, err, _ := r.flights.Do("nixhub "+file, func() (any, error) {
		pkg, err := r.remembered(file, name, version)
		if err == nil {
			return pkg, nil
		}
		if errors.As(err, new(*wrongSystemError)) {
			return nil, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			r.warnf("%s is put aside, and Nixhub asked again: %v", file, err)
		}
		if pkg, err = r.ask(ctx, name, version); err != nil {
			return nil, err
		}
		if err := r.remember(file, pkg); err != nil {
			r.warnf("not remembered, so Nixhub will be asked again: %v", err)
		}
		return pkg, nil
	})
	if err != nil {
		return nil, err
	}
	return got.(*nixhubPackage), nil
}

func (r *Resolver) remembered(file, name, version string) (*nixhubPackage, error) {
	data, err := r.dir.ReadFile(file, maxResponse)
	if err != nil {
		return nil, err
	}
	var pkg nixhubPackage
	if err := json.Unmarshal(data, &pkg); err != nil {
		return nil, err
	}
	if pkg.Alias != name || pkg.Version != version {
		return nil, fmt.Errorf("it is of %.100q, not of %s@%s", pkg.Alias+"@"+pkg.Version, name, version)
	}
	return &pkg, pkg.check(r.System)
}

func (r *Resolver) remember(file string, pkg *nixhubPackage) error {
	pkg.Timestamp = time.Now()
	for system, s := range pkg.Systems {
		if s.Outputs == nil {
			s.Outputs = []output{}
			pkg.Systems[system] = s
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(pkg); err != nil {
		return err
	}
	return r.dir.WriteFile(file, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
