/** What `version` tells of this build; the packager sets the environment at bundling time. */

export const productVersion = '0.1.0';
export const buildCommit = process.env['SLIPWAY_COMMIT'] ?? '';
export const buildTime = process.env['SLIPWAY_BUILD_TIME'] ?? '';
