// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Margin oracle: margin ratios per market and margin requirements per account, posted by a quorum.
/// @notice This interface is the specification; `MarginOracle` implements it and adds nothing that a consumer needs.
///
/// Units: a ratio is in parts per million (ppm) of notional, a slope in ppm per million USD of notional, money is
/// USD with 18 decimals (wad), a time is Unix seconds. What is asked of an account is rounded up.
///
/// Who may do what:
/// - a quorum of the signers posts reports; anyone may submit one, only its signatures count;
/// - the owner sets limits, signers and times, each after a delay in which the guardian can cancel it;
/// - the guardian stops: posts, a loosening that waits, an accounts root, a change of the owner's. It starts nothing;
/// - a custodian, to whom the owner granted it, replaces the one hot key that it answers for, at once.
/// Nobody else changes anything, and nobody but a quorum sets a ratio.
///
/// What a consumer may rely on:
/// - a report takes effect whole for each market tuple or not at all; a refused tuple is announced, never clamped;
/// - a margin rises at once and falls only after the dwell, to no less than every report in that time asked for;
/// - `margin`, `requirement` and `verifyAccount` never return a number older than they promise;
/// - a silent oracle makes opening dearer and liquidates nobody.
/// What is not guaranteed: that a market has been posted at all, that every report carries every market, or that two
/// markets carry the same reference time.
///
/// How a tuple of a report becomes the tuple in force, market by market:
/// 1. it is judged against the tuple in force (`Refusal`); what is refused changes nothing;
/// 2. in force = the componentwise maximum of both: what is tighter takes effect at once;
/// 3. where all of its values are at least those that were in force, nothing waits any longer;
/// 4. else the first such report sets the pending tuple and the time at which it takes effect, a dwell from now; a
///    later one raises the pending tuple to the componentwise maximum and leaves its time, so that a heartbeat shorter
///    than the dwell starves nothing;
/// 5. once that time has come, the next report (or, while the oracle is fresh and not paused, anyone by
///    `applyPending`) brings the pending tuple in force; what that report asks for below it waits anew.
/// With a dwell of zero the report's tuple is in force at once; so is a market's first, which is no rise either.
interface IMarginOracle {
    /// @notice Where the hash of the reference block is proven from.
    enum BlockHashSource {
        Evm, // the BLOCKHASH instruction: the last 256 blocks
        Eip2935, // the history contract: the last 8191 blocks
        ArbSys // the Arbitrum precompile: the last 256 L2 blocks
    }

    /// @notice What a requirement is asked for: opening (initial margin) or liquidating (maintenance margin).
    enum Purpose {
        Opening,
        Liquidating
    }

    /// @notice Why the tuple of one market was refused while the rest of its report went through.
    enum Refusal {
        UnknownMarket,
        InitialBelowMaintenance,
        BelowMinimum,
        AboveMaximum,
        InitialStepUp,
        MaintenanceRateUp,
        SlopeStepUp,
        RateDown,
        RiseTooSoon
    }

    /// @notice Margin of one market; all ratios in ppm, slopes in ppm per million USD of notional.
    struct MarketMargin {
        uint32 marketId;
        uint32 initialLong;
        uint32 initialShort;
        uint32 maintenanceLong;
        uint32 maintenanceShort;
        uint32 slopeLong;
        uint32 slopeShort;
    }

    /// @notice What the quorum signs (EIP-712, primary type `Report`). In calldata it travels packed, see `post`.
    struct Report {
        uint32 signerSetEpoch;
        uint64 sequence;
        uint64 referenceBlock;
        bytes32 referenceBlockHash;
        uint64 referenceTimestamp;
        uint64 validUntil;
        bytes32 modelHash;
        bytes32 detailsHash;
        bytes32 accountsRoot;
        uint32 accountCount;
        bool exceedsStep;
        MarketMargin[] markets;
    }

    /// @notice The margins in force for a market, with the reference time of the report that set them.
    struct CurrentMargin {
        uint32 initialLong;
        uint32 initialShort;
        uint32 maintenanceLong;
        uint32 maintenanceShort;
        uint32 slopeLong;
        uint32 slopeShort;
        uint40 referenceTimestamp;
    }

    /// @notice Limits of one field group (initial, maintenance or slope) of one market. A limit that names its groups
    /// must be 0 in any other.
    /// @param minimum Smallest value ever accepted; above 0 for initial and maintenance, so that no lost figure passes.
    /// @param maximum Largest value ever accepted.
    /// @param stepRelativePpm Largest rise in one report, relative to the value in force (initial and slope).
    /// @param stepMinimum Rise always allowed in one report, in the field's unit (initial and slope).
    /// @param riseHourly Largest rise per hour since the tuple in force, in the field's unit (maintenance).
    /// @param fallHourly Largest fall per hour, in the field's unit (every group), over the time since the tuple in force or
    /// over the dwell, whichever is longer: no fall takes effect sooner than that.
    struct Bounds {
        uint32 minimum;
        uint32 maximum;
        uint32 stepRelativePpm;
        uint32 stepMinimum;
        uint32 riseHourly;
        uint32 fallHourly;
    }

    /// @notice Configuration of a market. `fallbackInitialPpm` is what opening costs at least while the oracle is
    /// stale; not below `initial.minimum`.
    struct MarketConfig {
        bool exists;
        uint32 fallbackInitialPpm;
        Bounds initial;
        Bounds maintenance;
        Bounds slope;
    }

    /// @notice How reports and reads are timed, all in seconds.
    /// @param heartbeatSeconds Age beyond which a tuple or an accounts root is stale; above 0.
    /// @param dwellSeconds How long a looser tuple waits before it is in force.
    /// @param minimumDelaySeconds Shortest time, by reference times, between two rises of one market. One rise within
    /// it is let through as a correction, where it is within the step; the next one has to wait. The higher quorum
    /// (`exceedsStep`) never waits.
    struct Timing {
        uint24 heartbeatSeconds;
        uint24 dwellSeconds;
        uint16 minimumDelaySeconds;
    }

    /// @notice What is fixed or first set at deployment.
    /// @param ownerDelaySeconds How long a change of the owner's waits once the first report is in; below it no margin
    /// is in force and there is nothing to protect from the owner.
    /// @param sequencerUptimeFeed Chainlink's feed of the L2 sequencer's state; zero on a chain without a sequencer.
    /// @param sequencerGraceSeconds How long after the sequencer came back its outage still counts.
    struct Setup {
        address owner;
        address guardian;
        BlockHashSource blockHashSource;
        Timing timing;
        uint32 ownerDelaySeconds;
        address sequencerUptimeFeed;
        uint32 sequencerGraceSeconds;
    }

    /// @notice Everything that is held of a market besides its limits.
    /// @param pending The looser tuple that waits; all zero when none does. Its `referenceTimestamp` is that of the
    /// tuple in force: both come from the same reports.
    /// @param pendingTimestamp When `pending` may take effect; 0 when nothing waits.
    /// @param lastRiseTimestamp Reference time of the last rise, not before 65,535 s ago.
    /// @param isCorrected Whether that rise was a correction within the minimum delay.
    /// @param roundId Names the tuple in force: the reference time times 64, plus its ordinal among the tuples of that
    /// time. Increasing with each tuple, but for more than 64 tuples of one second, which share the last id; 0 when none
    /// was posted.
    struct MarketState {
        CurrentMargin current;
        CurrentMargin pending;
        uint40 pendingTimestamp;
        uint40 lastRiseTimestamp;
        bool isCorrected;
        uint80 roundId;
    }

    /// @notice A signer set as `signerSetHash` commits to it, without its epoch.
    struct SignerSet {
        uint8 threshold;
        uint8 stepThreshold;
        address[] signers;
    }

    /// @notice One account's requirement at a reference block; a leaf of the accounts tree.
    /// @dev leaf = keccak256(bytes.concat(keccak256(abi.encode(domainSeparator, accountKey, positionVersion,
    /// initialWad, maintenanceWad, referenceBlock)))), pairs sorted, as in OpenZeppelin's StandardMerkleTree.
    struct AccountLeaf {
        bytes32 accountKey;
        uint64 positionVersion;
        uint128 initialWad;
        uint128 maintenanceWad;
        uint64 referenceBlock;
    }

    /// @notice One round; the whole history of what was in force is in these events, with `PendingApplied`.
    /// @param margins For each tuple that was not refused, what is in force after it, one word each: marketId in the
    /// bits from 192, then the six values of 32 bits in the order of `MarketMargin`, the last in the lowest bits.
    /// What was refused is in `MarketRefused`, what waits in `LooseningPending`.
    event ReportPosted(
        uint64 indexed sequence,
        bytes32 indexed digest,
        uint64 referenceBlock,
        uint64 referenceTimestamp,
        bytes32 modelHash,
        bytes32 detailsHash,
        bytes32 accountsRoot,
        uint32 accountCount,
        uint256[] margins
    );
    /// @param inForce Value in force of the first field that failed (0 before the first post of a market).
    /// @param offered Value offered for it. With `RiseTooSoon` the two are the seconds since the last rise, and the
    /// minimum delay.
    event MarketRefused(
        uint32 indexed marketId, uint64 indexed sequence, Refusal reason, uint256 inForce, uint256 offered
    );
    /// @notice A looser tuple waits. `word` is as in `ReportPosted.margins`.
    event LooseningPending(uint32 indexed marketId, uint64 indexed sequence, uint40 effectiveTimestamp, uint256 word);
    /// @notice What waited came in force without a report.
    event PendingApplied(uint32 indexed marketId, uint256 word);
    event PendingCancelled(uint32 indexed marketId, uint256 word);

    event SignerSetChanged(uint32 indexed epoch, uint8 threshold, uint8 stepThreshold, address[] signers);
    event RotationGranted(address indexed custodian, address indexed signer);
    event SignerRotated(address indexed custodian, address indexed from, address indexed to);
    event MarketConfigured(uint32 indexed marketId, string name, MarketConfig config);
    event TimingChanged(Timing timing);
    event OwnerDelayChanged(uint32 ownerDelaySeconds);
    event GuardianChanged(address indexed guardian);
    event Paused();
    event Unpaused();
    event AccountsVoided(uint64 indexed referenceBlock);

    /// @param change The call of an owner function that waits; `id` is its keccak256.
    event ChangeProposed(bytes32 indexed id, uint40 readyTimestamp, bytes change);
    event ChangeExecuted(bytes32 indexed id);
    event ChangeCancelled(bytes32 indexed id, address indexed by);
    /// @notice Where the calibration artefact of a content hash is found. Changes nothing.
    event CalibrationAnnounced(bytes32 indexed contentHash, string location);

    error InvalidCalldataLength(uint256 expected, uint256 actual);
    error NonCanonicalCalldata();
    error WrongSignerSet(bytes32 expected, bytes32 actual);
    error InvalidSignerSet();
    error WrongEpoch(uint32 expected, uint32 actual);
    error NotEnoughSignatures(uint256 needed, uint256 actual);
    error InvalidSignature(uint256 signerIndex);
    error SequenceNotIncreasing(uint64 last, uint64 offered);
    error ReferenceBlockNotIncreasing(uint64 last, uint64 offered);
    error ReferenceTimestampDecreasing(uint64 last, uint64 offered);
    error ReferenceInFuture(uint64 referenceTimestamp, uint256 blockTimestamp);
    error Expired(uint64 validUntil, uint256 blockTimestamp);
    error BlockHashUnavailable(uint64 referenceBlock);
    error WrongBlockHash(bytes32 expected, bytes32 actual);
    error MarketsNotAscending(uint32 previous, uint32 next);
    error InvalidConfiguration();
    error UnknownMarket(uint32 marketId);
    error NeverPosted(uint32 marketId);
    error Stale(uint256 ageSeconds, uint256 heartbeatSeconds);
    error UnknownRoot(uint64 referenceBlock);
    error InvalidProof(bytes32 accountKey);
    error SequenceTooLarge(uint64 sequence);
    error SequencerDown();
    error SequencerGracePeriod(uint256 until);
    error PostsPaused();
    error NothingPending(uint32 marketId);
    error PendingNotReady(uint40 effectiveTimestamp, uint256 blockTimestamp);
    error NotGuardian(address account);
    error NotCustodian(address account, address signer);
    error RotationTooSoon(uint40 allowedTimestamp, uint256 blockTimestamp);
    error MustWait(uint256 delaySeconds);
    error NotAnOwnerFunction(bytes4 selector);
    error AlreadyProposed(bytes32 id);
    error NotProposed(bytes32 id);
    error ChangeNotReady(uint40 readyTimestamp, uint256 blockTimestamp);
    error ChangeExpired(uint256 expiredTimestamp, uint256 blockTimestamp);
    error GuardianCannotKeepOffice();
    error OwnerCannotResign();

    // ------------------------------------------------------------------ posting

    /// @notice Posts a report. Reverts whole on anything but a market's own bounds.
    /// @param packed Big-endian fields without padding, in this order and of exactly this length:
    /// header (172 bytes): signerSetEpoch 4, sequence 8, referenceBlock 8, referenceBlockHash 32,
    /// referenceTimestamp 8, validUntil 8, modelHash 32, detailsHash 32, accountsRoot 32, accountCount 4,
    /// exceedsStep 1 (0 or 1), market count 2, signer count 1;
    /// markets (28 bytes each, marketId strictly ascending): marketId 4 and the six values of 4 bytes each, in the
    /// order of `MarketMargin`;
    /// signer set: threshold 1, stepThreshold 1, then the signers (20 bytes each, strictly ascending);
    /// signatures: bitmap 4 (bit i = signer i signed), then (r 32, vs 32) of each set bit, lowest first (ERC-2098).
    /// The ABI wrapper must be canonical: offset 32, zero padding, nothing after. A flag other than 0 and 1, a bit beyond
    /// the set and any other wrapper are `NonCanonicalCalldata`. A sequence is at most 2^48 - 1.
    function post(bytes calldata packed) external;

    /// @notice The EIP-712 digest of a report, as signed.
    function hashReport(Report calldata report) external view returns (bytes32);

    /// @notice Whether `packed` would be accepted in this block; reverts with the same error as `post` if not.
    /// @return digest The digest that was signed.
    /// @return refusals Count of market tuples that would be refused.
    function preview(bytes calldata packed) external view returns (bytes32 digest, uint256 refusals);

    /// @notice Brings in force what waits, once its time has come. Anyone may; refused while paused or stale, since a
    /// loosening that nobody stands by any more is none.
    function applyPending(uint32 marketId) external;

    // ------------------------------------------------------------------ reading markets

    /// @notice The margins in force; reverts when none were posted, when they are older than the heartbeat, or while
    /// the L2 sequencer is down or came back less than the grace period ago.
    function margin(uint32 marketId) external view returns (CurrentMargin memory);

    /// @notice As `margin`, with a flag in place of the revert. `ok` false means: do not use the figure for opening.
    function tryMargin(uint32 marketId) external view returns (bool ok, CurrentMargin memory current);

    /// @notice The last posted margins whatever their age; zeros when none were posted.
    function marginUnsafe(uint32 marketId) external view returns (CurrentMargin memory);

    /// @notice Requirement in USD wad, rounded up, of one position.
    /// @dev notional (ratio + slope notional / 1e24) / 1e6. Stale mode: opening costs max(fallback, last posted),
    /// liquidating uses the last posted value, so that a silent keeper liquidates nobody by itself. While the sequencer
    /// is down or in its grace period opening is in stale mode and liquidating reverts: nobody could have topped up.
    /// Reverts for an unknown or never posted market.
    function requirement(uint32 marketId, bool isLong, uint256 notionalWad, Purpose purpose)
        external
        view
        returns (uint256 requirementWad);

    /// @notice Reverts where `margin` does, for consumers that need no figure; the heartbeat lives here alone.
    function requireFresh(uint32 marketId) external view;

    /// @notice Reverts while the L2 sequencer is down or in its grace period; never on a chain without one.
    function requireSequencerUp() external view;

    function marketState(uint32 marketId) external view returns (MarketState memory);

    // ------------------------------------------------------------------ reading accounts

    /// @notice Checks an account's leaf against the latest root while young, or, for an action that reduces risk,
    /// against the root before it for five minutes after it was replaced (or until it would itself have become
    /// stale, where that is sooner, by the heartbeat of the moment when it was replaced). A root of zero is none.
    /// Reverts otherwise, and for an action that does not reduce risk also while the
    /// sequencer is down or in its grace period. Who liquidates by proof calls `requireSequencerUp` too.
    function verifyAccount(AccountLeaf calldata leaf, bytes32[] calldata proof, bool reducesRisk) external view;

    /// @notice True when the latest accounts root is missing or older than the heartbeat.
    function accountsStale() external view returns (bool);

    /// @notice The leaf hash of an account.
    function hashAccount(AccountLeaf calldata leaf) external view returns (bytes32);

    // ------------------------------------------------------------------ state

    function VERSION() external view returns (string memory);
    function blockHashSource() external view returns (BlockHashSource);
    function sequencerUptimeFeed() external view returns (address);
    function sequencerGraceSeconds() external view returns (uint32);
    function timing() external view returns (Timing memory);
    function heartbeatSeconds() external view returns (uint24);
    /// @notice keccak256 of epoch (4 bytes), threshold (1), stepThreshold (1) and the signers (20 each), packed.
    function signerSetHash() external view returns (bytes32);
    function signerSetEpoch() external view returns (uint32);
    function lastSequence() external view returns (uint64);
    function lastReferenceBlock() external view returns (uint64);
    function lastReferenceTimestamp() external view returns (uint40);
    function latestAccounts() external view returns (bytes32 root, uint64 referenceBlock, uint40 referenceTimestamp);
    function marketConfig(uint32 marketId) external view returns (MarketConfig memory);
    function isPaused() external view returns (bool);
    function guardian() external view returns (address);
    function ownerDelaySeconds() external view returns (uint32);
    /// @notice When a proposed change may be executed; 0 when it is not proposed.
    function readyTimestamp(bytes32 id) external view returns (uint40);
    /// @notice The signer that a custodian may replace, and from when.
    function rotation(address custodian) external view returns (address signer, uint40 allowedTimestamp);

    // ------------------------------------------------------------------ owner

    // Each function from here to `transferOwnership` is a change: before the first report the owner calls it; from then
    // on it is proposed, waits for `ownerDelaySeconds`, and can be cancelled meanwhile.

    /// @notice Replaces the signer set: bumps the epoch, which kills signatures in flight.
    /// @param set `threshold` m, more than half of the signers; `stepThreshold` m2, above m and at most n: what a
    /// report with `exceedsStep` needs, which lifts the limits of rises; nothing lifts those of falls. Signers strictly
    /// ascending, at most 32.
    function setSigners(SignerSet calldata set) external;

    /// @notice Adds a market or changes its limits. Ids are the owner's choice and never reused for another product.
    /// What waits in the market is dropped (`PendingCancelled`), since the limits before judged it.
    function configureMarket(uint32 marketId, string calldata name, MarketConfig calldata config) external;

    function setTiming(Timing calldata newTiming) external;

    /// @notice Lets `custodian` replace `signer` by `rotateSigner`; a zero signer takes it back. A custodian answers
    /// for one signer, and the grant follows that signer's new key.
    function grantRotation(address custodian, address signer) external;

    /// @notice Zero: nobody can pause, cancel or void.
    function setGuardian(address newGuardian) external;

    /// @notice At most 30 days.
    function setOwnerDelay(uint32 newOwnerDelaySeconds) external;

    /// @notice Begins the change of owner; the new one ends it by `acceptOwnership`.
    function transferOwnership(address newOwner) external;

    /// @notice Announces a change: the ABI-encoded call of one of the functions above. It waits also where it need not.
    function proposeChange(bytes calldata change) external returns (bytes32 id);

    /// @notice Carries out a change, from its time on and for 14 days; owner only.
    function executeChange(bytes calldata change) external;

    /// @notice Owner or guardian; but a change of the guardian cannot be cancelled by the guardian.
    function cancelChange(bytes calldata change) external;

    function announceCalibration(bytes32 contentHash, string calldata location) external;

    // ------------------------------------------------------------------ custodian

    /// @notice Replaces the one signer that the caller answers for, at once; bumps the epoch. At most once a day.
    /// @param set The set in force.
    function rotateSigner(SignerSet calldata set, address newSigner) external;

    // ------------------------------------------------------------------ guardian

    function pause() external;
    function unpause() external;

    /// @notice Drops the looser tuple that waits.
    function cancelPending(uint32 marketId) external;

    /// @notice Drops both accounts roots: until the next report no proof counts and `accountsStale` is true.
    function voidAccounts() external;
}
