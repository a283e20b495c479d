"""Every reason for which a signature or a provenance is refused. The first fault found speaks."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Closed list; the name is what the owner reads."""

    # The signed tag
    TAG_MISSING = "TagMissing"  #: no tag of the expected name
    TAG_LIGHTWEIGHT = "TagLightweight"  #: a plain ref, which carries no signature
    TAG_TOO_LARGE = "TagTooLarge"  #: larger than any real tag
    TAG_MALFORMED = "TagMalformed"  #: not what git writes
    TAG_RENAMED = "TagRenamed"  #: signed under another name and moved here
    TAG_WRONG_OBJECT = "TagWrongObject"  #: signs another commit, or no commit
    TAG_UNSIGNED = "TagUnsigned"  #: annotated, but without a signature
    SIGNATURE_UNSUPPORTED = "SignatureUnsupported"  #: an OpenPGP or X.509 signature
    SIGNATURE_MALFORMED = "SignatureMalformed"  #: no readable signature, or several
    SIGNATURE_INVALID = "SignatureInvalid"  #: does not fit what was signed
    SIGNATURE_WRONG_NAMESPACE = "SignatureWrongNamespace"  #: made for another purpose
    SIGNER_UNKNOWN = "SignerUnknown"  #: the key is not among the allowed signers
    SIGNER_EXPIRED = "SignerExpired"  #: the key's time is over
    SIGNER_NOT_YET_VALID = "SignerNotYetValid"  #: the key's time has not begun
    SIGNER_NOT_ALLOWED = "SignerNotAllowed"  #: known, but not for this repository
    SIGNER_REVOKED = "SignerRevoked"  #: the key was withdrawn
    # The envelope
    PROVENANCE_MISSING = "ProvenanceMissing"  #: no envelope where it is expected
    ENVELOPE_TOO_LARGE = "EnvelopeTooLarge"  #: larger than any real envelope
    ENVELOPE_MALFORMED = "EnvelopeMalformed"  #: no JSON object of the DSSE form
    DUPLICATE_KEY = "DuplicateKey"  #: a JSON key occurs twice, so two readers see two things
    PAYLOAD_TYPE_UNKNOWN = "PayloadTypeUnknown"  #: no in-toto statement
    NO_SIGNATURES = "NoSignatures"  #: an envelope that nobody signed
    TOO_MANY_SIGNATURES = "TooManySignatures"  #: more than any real envelope has
    ENVELOPE_NOT_TRUSTED = "EnvelopeNotTrusted"  #: no signature by a trusted key fits
    KEY_REVOKED = "KeyRevoked"  #: signed by a key that was withdrawn
    TOO_FEW_SIGNERS = "TooFewSigners"  #: fewer trusted keys than the policy asks for
    # The statement
    STATEMENT_MALFORMED = "StatementMalformed"  #: a field is missing or of the wrong kind
    STATEMENT_TYPE_UNKNOWN = "StatementTypeUnknown"  #: not Statement v1
    PREDICATE_TYPE_UNKNOWN = "PredicateTypeUnknown"  #: not SLSA provenance v1
    SUBJECT_MISMATCH = "SubjectMismatch"  #: no subject is this commit
    ARCHIVE_MISMATCH = "ArchiveMismatch"  #: this commit, but not these files
    ARCHIVE_MISSING = "ArchiveMissing"  #: the policy wants the files' digest as well
    BUILDER_NOT_ALLOWED = "BuilderNotAllowed"  #: built by somebody else
    BUILD_TYPE_NOT_ALLOWED = "BuildTypeNotAllowed"  #: built in another way
    SOURCE_MISSING = "SourceMissing"  #: does not say what it was built from
    SOURCE_MISMATCH = "SourceMismatch"  #: built from another repository
    SOURCE_COMMIT_MISMATCH = "SourceCommitMismatch"  #: built from another commit
    PROVENANCE_UNDATED = "ProvenanceUndated"  #: the policy limits its age, and it has none
    PROVENANCE_EXPIRED = "ProvenanceExpired"  #: older than the policy takes
    PROVENANCE_FROM_THE_FUTURE = "ProvenanceFromTheFuture"  #: finished after now


#: What a signing command may still bring; every other fault is final.
ABSENT = frozenset({Fault.TAG_MISSING, Fault.PROVENANCE_MISSING})


class Faulty(Exception):
    """Something offered as an attestation is not one. Becomes a REFUSED fact, never an error."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault.value}: {detail}")
        self.fault = fault
        self.detail = detail
