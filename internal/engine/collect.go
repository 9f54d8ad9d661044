package engine

import (
	"context"
	"os"
	"time"

	"cachekey/internal/dotsame"
	"cachekey/internal/prune"
)

// collectEvery is how often runs remove old results.
const collectEvery = 24 * time.Hour

// collect removes old results if no run of the last day has begun to. The first run of a
// workspace has none. On CI, cachekey prune decides what is saved.
func (s *session) collect(ctx context.Context, now time.Time) {
	if ci, _ := s.LookupEnv("CI"); ci != "" || s.lockFile == nil || ctx.Err() != nil {
		return
	}
	last, err := os.Lstat(s.dir.Path(dotsame.Collected))
	if err == nil && now.Sub(last.ModTime()).Abs() < collectEvery {
		return
	}
	if s.dir.WriteFile(dotsame.Collected, nil) != nil || err != nil {
		return
	}
	_, err = prune.Collect(ctx, prune.Options{
		Workspace: s.Workspace, Store: s.Store, MaxSize: prune.MaxSize, History: prune.MaxAge, Now: now,
		Gone: func(prune.Gone) {}, Warnf: s.warnf,
	})
	if err != nil && ctx.Err() == nil {
		s.warnf("old results were not removed: %v", err)
	}
}
