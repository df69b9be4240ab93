//! Bans, revoked tokens and ended sign-ins.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::MemoryStore;
use crate::{
    chat::ports::{DenialChange, DenialSnapshot, DenialStore, Fault},
    domain::Denial,
};

#[async_trait]
impl DenialStore for MemoryStore {
    async fn change_denials(
        &self,
        change: &DenialChange,
        now: OffsetDateTime,
    ) -> Result<u64, Fault> {
        let DenialSnapshot { number, denials } = &mut self.lock().denials;
        *number += 1;
        let subject = match change {
            DenialChange::Deny(denial) => &denial.subject,
            DenialChange::Allow(subject) => subject,
        };
        denials.retain(|it| it.subject != *subject && !it.is_over(now));
        if let DenialChange::Deny(denial) = change {
            denials.push(Denial {
                at: denial.at.truncate_to_millisecond(),
                until: denial.until.map(OffsetDateTime::truncate_to_millisecond),
                ..denial.clone()
            });
        }
        Ok(*number)
    }

    async fn denials_number(&self) -> Result<u64, Fault> {
        Ok(self.lock().denials.number)
    }

    async fn denials(&self) -> Result<DenialSnapshot, Fault> {
        Ok(self.lock().denials.clone())
    }
}
