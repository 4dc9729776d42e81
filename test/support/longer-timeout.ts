/** Of the tiers with processes and servers outside of jest: a busy machine must not fail what would have passed. */
import { jest } from '@jest/globals';

jest.setTimeout(60_000);
