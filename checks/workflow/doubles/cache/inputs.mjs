// What actions/cache reads and says, for the doubles that stand in for it: the
// same inputs, outputs and state, around the same client (npm's @actions/cache).
import * as core from "@actions/core";

/** The lines of a multi-line input. */
export function lines(name, options) {
  return core.getMultilineInput(name, options).filter((line) => line !== "");
}

/** Whether an entry's key is the very key that was asked for: the service compares without case. */
export function isExact(key, matched) {
  return matched !== undefined && matched.localeCompare(key, undefined, { sensitivity: "accent" }) === 0;
}

/** Runs an action's body; the process ends with it, as dangling requests would keep it alive. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    core.setFailed(error.message);
  }
  process.exit();
}
