//! Shoppers as a peer sees them: ids or pseudonyms, with or without what they declared.
//!
//! Asking by an id that the peer knows works for everybody. Where shoppers are listed, a peer that may not see ids gets pseudonyms, and can ask
//! by them. What shoppers declared is for the audit role; operators see what is not protected.

use std::collections::BTreeMap;

use mercer_shared::ids::{SessionId, UserId};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{
    ConsentReport, ExportLine, ForgetReport, Interaction, Profile, SimilarUsers, User, UserExport,
};
use mercer_store::Pseudonym;

use crate::http::peer::Viewer;
use crate::ingest::audited;
use crate::state::app::App;
use crate::state::problems::{Answer, internal};

/// A shopper who was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// The id, or what was asked where nobody has it.
    pub id: String,
    /// Whether a pseudonym was asked for.
    pub by_pseudonym: bool,
}

/// What a viewer sees of shoppers.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    app: &'a App,
    viewer: Viewer,
}

impl<'a> Sight<'a> {
    pub(super) const fn new(app: &'a App, viewer: Viewer) -> Self {
        Self { app, viewer }
    }

    /// Finds the shopper of an id or of a pseudonym. An id that looks like a pseudonym is an id.
    pub(super) fn find(self, asked: &str) -> Asked {
        let view = self.app.view_that(|view| view.user_number(asked).is_some());
        let known = |id: &str| Asked { id: id.to_owned(), by_pseudonym: false };
        let Some(pseudonym) = Pseudonym::from_hex(asked).filter(|_| view.user_number(asked).is_none()) else {
            return known(asked);
        };
        let found = view.user_index.keys().find(|id| self.app.store.pseudonym(id) == pseudonym);
        found.map_or_else(|| known(asked), |id| Asked { id: id.as_str().to_owned(), by_pseudonym: true })
    }

    /// Finds the shopper of an id or of a pseudonym for what is read from the store or changed there.
    ///
    /// # Errors
    /// `erased` for the pseudonym of an erased shopper. Nobody's id or pseudonym is found as it was asked.
    pub(super) fn resolve(self, asked: &str) -> Answer<Asked> {
        let found = self.find(asked);
        let pseudonym = Pseudonym::from_hex(asked).filter(|_| !found.by_pseudonym);
        let is_known = || UserId::new(asked).is_ok_and(|id| self.app.store.knows_user(&id).unwrap_or(true));
        if pseudonym.is_some_and(|pseudonym| self.app.store.is_erased_pseudonym(&pseudonym)) && !is_known() {
            return Err(Problem::new(Code::Erased, "this user was erased"));
        }
        Ok(found)
    }

    /// Does something with a shopper who was asked for by id or pseudonym. A refusal names the shopper as they were asked for.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), and those of `act`.
    pub(super) fn of<T>(self, asked: &str, act: impl FnOnce(&Asked) -> Answer<T>) -> Answer<T> {
        let found = self.resolve(asked)?;
        act(&found).map_err(|mut problem| {
            if found.by_pseudonym && !self.viewer.sees_ids {
                // Refusals quote ids like this.
                problem.detail = problem.detail.replace(&format!("`{}`", found.id), &format!("`{asked}`"));
            }
            problem
        })
    }

    /// The name of a shopper where shoppers are listed.
    ///
    /// # Errors
    /// `internal` never: a pseudonym is a valid id.
    pub(super) fn name(self, id: &UserId) -> Answer<UserId> {
        if self.viewer.sees_ids { Ok(id.clone()) } else { pseudonym(self.app, id) }
    }

    /// The name of a shopper who was asked for: the id to those who knew it.
    fn name_of(self, id: &UserId, asked: &Asked) -> Answer<UserId> {
        if asked.by_pseudonym { self.name(id) } else { Ok(id.clone()) }
    }

    /// Whether the viewer may see an attribute.
    fn sees(self, attribute: &str) -> bool {
        let protected = &self.app.config.reports.protected;
        let is_protected = protected.is_empty() || protected.iter().any(|name| name == attribute);
        self.viewer.roles.audit || (self.viewer.roles.operator && !is_protected)
    }

    fn declared(self, attributes: &mut BTreeMap<String, String>) {
        attributes.retain(|name, _| self.sees(name));
    }

    /// What a shopper agreed to.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    pub(super) fn consent(self, mut report: ConsentReport, asked: &Asked) -> Answer<ConsentReport> {
        report.user = self.name_of(&report.user, asked)?;
        Ok(report)
    }

    /// What became of a removed interest.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    pub(super) fn forgotten(self, mut report: ForgetReport, asked: &Asked) -> Answer<ForgetReport> {
        report.user = self.name_of(&report.user, asked)?;
        Ok(report)
    }

    /// The export of a shopper, without what the viewer may not see. One asked for by pseudonym has no id in it, nor what a shop puts order
    /// and customer numbers into.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    pub(super) fn user_export(self, mut export: UserExport, asked: &Asked) -> Answer<UserExport> {
        if asked.by_pseudonym && !self.viewer.sees_ids {
            export.user = self.name(&export.user)?;
            export.consent.user = export.user.clone();
            export.inferred.profile.user = export.user.clone();
            let lines = std::mem::take(&mut export.portable.interactions);
            export.portable.interactions =
                lines.into_iter().map(|line| self.without_ids(line)).collect::<Answer<Vec<Interaction>>>()?;
            export.notes.push(
                "asked for by pseudonym: ids of the shopper, of visits and of interactions are left out or replaced, \
                 words that the shopper wrote are not"
                    .to_owned(),
            );
        }
        let all = export.portable.attributes.len();
        self.declared(&mut export.portable.attributes);
        self.declared(&mut export.inferred.profile.attributes);
        if export.portable.attributes.len() < all {
            export.notes.push("protected attributes are left out: they are for the audit role".to_owned());
        }
        Ok(export)
    }

    /// A shopper among others.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    pub(super) fn listed(self, mut user: User) -> Answer<User> {
        user.id = self.name(&user.id)?;
        self.declared(&mut user.attributes);
        Ok(user)
    }

    /// A shopper who was asked for.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    pub(super) fn user(self, mut user: User, asked: &Asked) -> Answer<User> {
        user.id = self.name_of(&user.id, asked)?;
        self.declared(&mut user.attributes);
        Ok(user)
    }

    /// A profile that was asked for.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    pub(super) fn profile(self, mut profile: Profile, asked: &Asked) -> Answer<Profile> {
        profile.user = self.name_of(&profile.user, asked)?;
        self.declared(&mut profile.attributes);
        for near in &mut profile.nearest {
            near.user = self.name(&near.user)?;
        }
        Ok(profile)
    }

    /// The nearest shoppers of one who was asked for.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    pub(super) fn similar(self, mut similar: SimilarUsers, asked: &Asked) -> Answer<SimilarUsers> {
        similar.user = self.name_of(&similar.user, asked)?;
        for near in &mut similar.nearest {
            near.user = self.name(&near.user)?;
        }
        Ok(similar)
    }

    /// A document that replaces what is stored: what the viewer cannot see, it cannot remove by leaving it out.
    pub(super) fn keep_unseen(self, mut user: User) -> User {
        let view = self.app.view_that(|view| view.user_index.contains_key(&user.id));
        let stored = view.user_index.get(&user.id).and_then(|number| view.user(*number));
        for (name, value) in stored.map(|stored| stored.attributes).unwrap_or_default() {
            if !self.sees(&name) {
                user.attributes.entry(name).or_insert(value);
            }
        }
        user
    }

    /// A line of an export. Without ids, interactions lose their own ids too, because shops put order and customer numbers into them.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    pub(super) fn exported(self, line: ExportLine) -> Answer<ExportLine> {
        Ok(match line {
            ExportLine::User(user) => ExportLine::User(self.listed(user)?),
            ExportLine::Interaction(line) if !self.viewer.sees_ids => ExportLine::Interaction(self.without_ids(line)?),
            other => other,
        })
    }

    fn without_ids(self, line: Interaction) -> Answer<Interaction> {
        Ok(Interaction {
            id: None,
            user: line.user.as_ref().map(|user| pseudonym(self.app, user)).transpose()?,
            session: line.session.as_ref().map(|session| self.visit(session)).transpose()?,
            ..line
        })
    }

    fn visit(self, session: &SessionId) -> Answer<SessionId> {
        // The space keeps it apart from a user of the same id.
        let name =
            UserId::new(format!("session {}", &blake3_of(session.as_str()))).map_err(|error| internal(&error))?;
        SessionId::new(self.app.store.pseudonym(&name).hex()).map_err(|error| internal(&error))
    }

    /// What an export to the viewer holds of shoppers, in words.
    pub(super) const fn words(self) -> &'static str {
        match (self.viewer.sees_ids, self.viewer.roles.audit) {
            (true, true) => "ids and attributes",
            (true, false) => "ids, without protected attributes",
            (false, _) => "pseudonyms, without protected attributes",
        }
    }

    /// Reveals the id behind a pseudonym to an operator, and notes it in the audit log.
    ///
    /// # Errors
    /// `forbidden` to others.
    pub(super) fn reveal(self, user: &UserId) -> Result<(), crate::http::problem::ProblemResponse> {
        if !self.viewer.roles.audit {
            self.viewer.operator()?;
        }
        self.app.audit(Some(self.viewer.peer), "reveal", &audited::name(self.app, user), "");
        Ok(())
    }
}

/// A short form of a long id: an id has at most 256 bytes, and a prefix must fit as well.
fn blake3_of(id: &str) -> String {
    blake3::hash(id.as_bytes()).to_hex().to_string()
}

fn pseudonym(app: &App, id: &UserId) -> Answer<UserId> {
    UserId::new(app.store.pseudonym(id).hex()).map_err(|error| internal(&error))
}
