// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Margin oracle: margin ratios per market and margin requirements per account, posted by a quorum.
/// @notice This interface is the specification; `MarginOracle` implements it and adds nothing that a consumer needs.
///
/// Units: a ratio is in parts per million (ppm) of notional, a slope in ppm per million USD of notional, money is
/// USD with 18 decimals (wad), a time is Unix seconds. What is asked of an account is rounded up.
///
/// What a consumer may rely on:
/// - a report takes effect whole for each market tuple or not at all; a refused tuple is announced, never clamped;
/// - `margin`, `requirement` and `verifyAccount` never return a number older than they promise;
/// - anyone may submit a report; only its signatures count.
/// What is not guaranteed: that a market has been posted at all, that every report carries every market, or that two
/// markets carry the same reference time.
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
        RateDown
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
    /// @param fallHourly Largest fall per hour since the tuple in force, in the field's unit (every group).
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

    /// @notice One round; the whole history of what was in force is in these events.
    /// @param margins The tuples that took effect, one word each: marketId in the bits from 192, then the six values
    /// of 32 bits in the order of `MarketMargin`, the last in the lowest bits. Those that did not are in
    /// `MarketRefused`.
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
    /// @param offered Value offered for it.
    event MarketRefused(
        uint32 indexed marketId, uint64 indexed sequence, Refusal reason, uint256 inForce, uint256 offered
    );
    event SignerSetChanged(uint32 indexed epoch, uint8 threshold, uint8 stepThreshold, address[] signers);
    event MarketConfigured(uint32 indexed marketId, string name, MarketConfig config);
    event HeartbeatChanged(uint32 heartbeatSeconds);

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
    /// The ABI wrapper must be canonical: offset 32, zero padding, nothing after.
    function post(bytes calldata packed) external;

    /// @notice The EIP-712 digest of a report, as signed.
    function hashReport(Report calldata report) external view returns (bytes32);

    /// @notice Whether `packed` would be accepted in this block; reverts with the same error as `post` if not.
    /// @return digest The digest that was signed.
    /// @return refusals Count of market tuples that would be refused.
    function preview(bytes calldata packed) external view returns (bytes32 digest, uint256 refusals);

    // ------------------------------------------------------------------ reading markets

    /// @notice The margins in force; reverts when none were posted or they are older than the heartbeat.
    function margin(uint32 marketId) external view returns (CurrentMargin memory);

    /// @notice As `margin`, with a flag in place of the revert. `ok` false means: do not use the figure for opening.
    function tryMargin(uint32 marketId) external view returns (bool ok, CurrentMargin memory current);

    /// @notice The last posted margins whatever their age; zeros when none were posted.
    function marginUnsafe(uint32 marketId) external view returns (CurrentMargin memory);

    /// @notice Requirement in USD wad, rounded up, of one position.
    /// @dev notional (ratio + slope notional / 1e24) / 1e6. Stale mode: opening costs max(fallback, last posted),
    /// liquidating uses the last posted value, so that a silent keeper liquidates nobody by itself. Reverts for an
    /// unknown or never posted market.
    function requirement(uint32 marketId, bool isLong, uint256 notionalWad, Purpose purpose)
        external
        view
        returns (uint256 requirementWad);

    // ------------------------------------------------------------------ reading accounts

    /// @notice Checks an account's leaf against the latest root while young, or, for an action that reduces risk,
    /// against the root before it for five minutes after it was replaced (or until it would itself have become
    /// stale, where that is sooner). Reverts otherwise.
    function verifyAccount(AccountLeaf calldata leaf, bytes32[] calldata proof, bool reducesRisk) external view;

    /// @notice True when the latest accounts root is missing or older than the heartbeat.
    function accountsStale() external view returns (bool);

    /// @notice The leaf hash of an account.
    function hashAccount(AccountLeaf calldata leaf) external view returns (bytes32);

    // ------------------------------------------------------------------ state

    function VERSION() external view returns (string memory);
    function heartbeatSeconds() external view returns (uint32);
    /// @notice keccak256 of epoch (4 bytes), threshold (1), stepThreshold (1) and the signers (20 each), packed.
    function signerSetHash() external view returns (bytes32);
    function signerSetEpoch() external view returns (uint32);
    function lastSequence() external view returns (uint64);
    function lastReferenceBlock() external view returns (uint64);
    function lastReferenceTimestamp() external view returns (uint40);
    function latestAccounts() external view returns (bytes32 root, uint64 referenceBlock, uint40 referenceTimestamp);
    function marketConfig(uint32 marketId) external view returns (MarketConfig memory);

    // ------------------------------------------------------------------ owner

    /// @notice Replaces the signer set: bumps the epoch, which kills signatures in flight.
    /// @param threshold m, more than half of the signers.
    /// @param stepThreshold m2, above m and at most n: what a report with `exceedsStep` needs, which lifts the
    /// limits of rises; nothing lifts those of falls.
    function setSigners(uint8 threshold, uint8 stepThreshold, address[] calldata signers) external;

    /// @notice Adds a market or changes its limits. Ids are the owner's choice and never reused for another product.
    function configureMarket(uint32 marketId, string calldata name, MarketConfig calldata config) external;

    function setHeartbeat(uint32 newHeartbeatSeconds) external;
}
