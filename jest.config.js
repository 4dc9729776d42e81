// One project a tier; `node test/run-tiers.ts` chooses. Node strips the types itself, so no transformer is needed.
const base = {
  testEnvironment: 'node',
  transform: {},
  extensionsToTreatAsEsm: ['.ts'],
  rootDir: import.meta.dirname,
  // Without this jest crawls caches and bundles and warns of duplicate package names.
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/bench/out/', '<rootDir>/test/browser/out/'],
};

// A kube-apiserver with etcd that all files of the tier share.
const withControlPlane = {
  ...base,
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
};

export default {
  // Longer than what tests wait for, which says what is missing, and than any machine stands still.
  testTimeout: 60_000,
  projects: [
    {
      ...base,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/src/**/*.test.ts',
        '<rootDir>/test/unit/**/*.test.ts',
        '<rootDir>/test/*-sim/**/*.test.ts',
        '<rootDir>/test/cluster/**/*.test.ts',
        '<rootDir>/test/load/**/*.test.ts',
        '<rootDir>/bench/**/*.test.ts',
      ],
    },
    { ...withControlPlane, displayName: 'integration', testMatch: ['<rootDir>/test/integration/**/*.test.ts'] },
    // Beside another tier: an operator at rest, watched for five minutes.
    { ...withControlPlane, displayName: 'rest', testMatch: ['<rootDir>/test/rest/**/*.test.ts'] },
    { ...withControlPlane, displayName: 'faults', testMatch: ['<rootDir>/test/faults/**/*.test.ts'] },
    { ...base, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.test.ts'] },
    { ...base, displayName: 'browser', testMatch: ['<rootDir>/test/browser/**/*.test.ts'] },
    { ...base, displayName: 'conformance', testMatch: ['<rootDir>/test/conformance/**/*.test.ts'] },
  ],
};
