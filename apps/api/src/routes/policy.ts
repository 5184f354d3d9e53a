import { Body, Controller, Delete, Get, Inject, Param, Patch, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Origin } from '@kiroku/domain/kernel/event.js';
import { PolicyAdmin } from '@kiroku/infra/admin/policy.js';
import type { z } from 'zod';
import { Route } from '../http/describe.js';
import { From } from '../http/request.js';
import { AllSettings, LockoutParam, LockoutQuery, Lockouts, Released, ReleaseQuery, SettingsChange } from '../schemas.js';

@ApiTags('settings')
@Controller('settings')
export class SettingsRoutes {
  constructor(@Inject(PolicyAdmin) private readonly policy: PolicyAdmin) {}

  @Get()
  @Route({ summary: 'All settings, with defaults', answer: AllSettings })
  get() {
    return this.policy.settings();
  }

  @Patch()
  @Route({ summary: 'Change settings, at once and without restart', answer: AllSettings, refusals: ['bad-settings'] })
  async change(@Body({ schema: SettingsChange }) changes: z.output<typeof SettingsChange>, @From() origin: Origin) {
    await this.policy.change(changes, origin);
    return this.policy.settings();
  }
}

@ApiTags('lockouts')
@Controller('lockouts')
export class LockoutRoutes {
  constructor(@Inject(PolicyAdmin) private readonly policy: PolicyAdmin) {}

  @Get()
  @Route({ summary: 'Addresses that are locked out', answer: Lockouts })
  list(@Query({ schema: LockoutQuery }) query: z.output<typeof LockoutQuery>) {
    return this.policy.lockouts(query);
  }

  @Delete(':ip')
  @Route({ summary: 'Let an address in again', answer: Released, refusals: ['not-locked-out'] })
  async release(
    @Param({ schema: LockoutParam }) { ip }: z.output<typeof LockoutParam>,
    @Query({ schema: ReleaseQuery }) { protocol }: z.output<typeof ReleaseQuery>,
    @From() origin: Origin,
  ) {
    return { released: await this.policy.release(ip, protocol, origin) };
  }
}
