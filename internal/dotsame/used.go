package dotsame

import (
	"os"
	"time"
)

// Used notes that a task was skipped, as the time of its build info's last
// modification: `cachekey prune --max-size` drops first what was not used for
// longest. The content does not change, so a seal stays. Where nothing can be
// noted, nothing is.
func (d *Dir) Used(task string) {
	now := time.Now()
	_ = os.Chtimes(d.Path(InfoPath(task)), now, now)
}
