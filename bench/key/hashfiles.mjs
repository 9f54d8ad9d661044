// hashfiles.mjs DIR PATTERN…: prints what GitHub's hashFiles(PATTERN…) returns in the checkout DIR.
import { hashFiles } from '@actions/glob'

const [dir, ...patterns] = process.argv.slice(2)
process.chdir(dir)
process.env.GITHUB_WORKSPACE = dir
console.log(await hashFiles(patterns.join('\n'), dir))
