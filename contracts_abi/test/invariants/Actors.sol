// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {OracleFixture} from "../OracleFixture.sol";

/// @dev A feed of the sequencer's state that the actors switch.
contract UptimeFeed {
    int256 private answer;
    uint256 private startedAt;

    function say(int256 newAnswer, uint256 newStartedAt) external {
        (answer, startedAt) = (newAnswer, newStartedAt);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, answer, startedAt, block.timestamp, 1);
    }
}

/// @title Everybody who can touch the oracle, one act a call: what it was, and what was there before it.
/// @dev Every act is tried by a low-level call, so that what is refused leaves its mark too. Time passes before an act,
/// never within it.
contract Actors is OracleFixture {
    enum Kind {
        None,
        Post, // signed by a quorum, as far as the actors know
        Forgery, // signed by fewer, by others, or posted again
        Apply,
        OwnerAtOnce,
        Propose,
        Execute,
        CancelChange,
        Guardian,
        Rotate,
        Accept,
        Intrusion, // something that is not the actor's to do
        Silence // time passes, or the sequencer goes or comes
    }

    struct Act {
        Kind kind;
        address by;
        bool success;
        bytes data;
        IMarginOracle.Report report;
        uint256 signatures;
    }

    /// @dev All that anyone can change.
    struct State {
        bytes32 signerSetHash;
        uint32 signerSetEpoch;
        uint64 sequence;
        uint64 referenceBlock;
        uint40 referenceTimestamp;
        bytes32 accountsRoot;
        bool isPaused;
        IMarginOracle.Timing timing;
        address guardian;
        address owner;
        address pendingOwner;
        uint32 ownerDelaySeconds;
        address granted;
        uint40 rotationAllowed;
        IMarginOracle.MarketConfig[2] limits;
        IMarginOracle.MarketState[2] markets;
    }

    /// @dev What an accepted report asked of a market, and the shortest dwell since.
    struct Asked {
        uint256 timestamp;
        uint256 shortestDwell;
        uint32[6] values;
    }

    address public constant CUSTODIAN = address(0xC057);
    uint32 public constant MARKETS = 2;
    uint32 public constant FASTEST_FALL = 36_000;
    uint24 public constant LONGEST_DWELL = 2 hours;

    UptimeFeed public immutable feed = new UptimeFeed();
    bytes private _before;
    bytes private _act;
    Asked[][2] private _asked;
    mapping(uint256 market => uint40) public firstTimestamp;
    mapping(uint256 market => mapping(uint256 field => uint256)) public fallen;
    mapping(bytes32 id => uint256) public announcedTimestamp;
    mapping(bytes32 id => uint256) public announcedDelay;
    mapping(address signer => uint256) private keyOf;
    bytes[] private changes;
    bytes private lastPacked;
    uint256 private lastKey = 100;
    SignerSet private former;
    uint256 public accepted;

    constructor() {
        vm.warp(1_800_000_000);
        vm.roll(1_000_000);
        feed.say(0, 1_700_000_000);
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.timing = IMarginOracle.Timing(2 hours, 30 minutes, 10 minutes);
        setup.ownerDelaySeconds = 2 hours;
        (setup.sequencerUptimeFeed, setup.sequencerGraceSeconds) = (address(feed), 10 minutes);
        oracle = newOracle(setup);
        set = newSignerSet(5, 3, 4);
        for (uint256 i = 0; i < 5; ++i) {
            keyOf[set.addresses[i]] = set.keys[i];
        }
        former = set;
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        configure(1);
        configure(2);
        vm.prank(OWNER);
        oracle.grantRotation(CUSTODIAN, set.addresses[0]);
        _before = abi.encode(state());
        Act memory none;
        _act = abi.encode(none);
    }

    // ------------------------------------------------------------------ what the invariants look at

    function state() public view returns (State memory now_) {
        now_.signerSetHash = oracle.signerSetHash();
        now_.signerSetEpoch = oracle.signerSetEpoch();
        now_.sequence = oracle.lastSequence();
        (now_.accountsRoot, now_.referenceBlock, now_.referenceTimestamp) = oracle.latestAccounts();
        now_.isPaused = oracle.isPaused();
        now_.timing = oracle.timing();
        now_.guardian = oracle.guardian();
        now_.owner = oracle.owner();
        now_.pendingOwner = oracle.pendingOwner();
        now_.ownerDelaySeconds = oracle.ownerDelaySeconds();
        (now_.granted, now_.rotationAllowed) = oracle.rotation(CUSTODIAN);
        for (uint32 i = 0; i < MARKETS; ++i) {
            now_.limits[i] = oracle.marketConfig(i + 1);
            now_.markets[i] = oracle.marketState(i + 1);
        }
    }

    function before() external view returns (State memory) {
        return abi.decode(_before, (State));
    }

    function act() external view returns (Act memory) {
        return abi.decode(_act, (Act));
    }

    function asked(uint256 market) external view returns (Asked[] memory) {
        return _asked[market];
    }

    function signers() external view returns (SignerSet memory now_, SignerSet memory previous) {
        return (set, former);
    }

    function target() external view returns (IMarginOracle) {
        return oracle;
    }

    /// @dev The six values of a tuple in force or waiting, in the order of `MarketMargin`.
    function valuesOf(IMarginOracle.CurrentMargin memory m) public pure returns (uint32[6] memory) {
        return [m.initialLong, m.initialShort, m.maintenanceLong, m.maintenanceShort, m.slopeLong, m.slopeShort];
    }

    function valuesOf(IMarginOracle.MarketMargin memory m) public pure returns (uint32[6] memory) {
        return [m.initialLong, m.initialShort, m.maintenanceLong, m.maintenanceShort, m.slopeLong, m.slopeShort];
    }

    // ------------------------------------------------------------------ reports

    function quorumPosts(uint256 seed) public {
        elapse(seed, 30 minutes);
        IMarginOracle.Report memory report = drawReport(seed);
        post(Kind.Post, report, report.exceedsStep ? set.stepThreshold : set.threshold);
    }

    /// @dev Again, since most of what can go wrong begins with a report.
    function quorumPostsAgain(uint256 seed) external {
        quorumPosts(seed);
    }

    function allPost(uint256 seed) external {
        elapse(seed, 1 hours);
        post(Kind.Post, drawReport(seed), set.keys.length);
    }

    function minorityPosts(uint256 seed) external {
        elapse(seed, 30 minutes);
        IMarginOracle.Report memory report = drawReport(seed);
        uint256 needed = report.exceedsStep ? set.stepThreshold : set.threshold;
        post(Kind.Forgery, report, pick(seed, "count", needed));
    }

    function strangerSigns(uint256 seed) external {
        elapse(seed, 30 minutes);
        IMarginOracle.Report memory report = drawReport(seed);
        SignerSet memory forged = set;
        forged.keys[pick(seed, "forged", set.threshold)] = 99;
        submit(Kind.Forgery, report, packWith(report, forged, uint32((1 << forged.keys.length) - 1)), 0);
    }

    function somebodyPostsAgain(uint256 seed) external {
        elapse(seed, 5 minutes);
        IMarginOracle.Report memory none;
        submit(Kind.Forgery, none, lastPacked, 0);
    }

    /// @dev Half of the time as soon as it may be.
    function anyoneApplies(uint256 seed) external {
        uint32 market = oracle.marketState(1).pendingTimestamp == 0 ? 2 : 1;
        uint40 effective = oracle.marketState(market).pendingTimestamp;
        if (effective > vm.getBlockTimestamp() && pick(seed, "wait", 2) == 0) vm.warp(effective);
        tryCall(Kind.Apply, STRANGER, abi.encodeCall(oracle.applyPending, (market)));
    }

    // ------------------------------------------------------------------ offices

    function ownerChangesAtOnce(uint256 seed) external {
        elapse(seed, 10 minutes);
        tryCall(Kind.OwnerAtOnce, oracle.owner(), drawChange(seed));
    }

    function ownerProposes(uint256 seed) public {
        elapse(seed, 10 minutes);
        bytes memory change = drawChange(seed);
        uint256 delay = oracle.ownerDelaySeconds();
        if (tryCall(Kind.Propose, oracle.owner(), abi.encodeCall(oracle.proposeChange, (change)))) {
            changes.push(change);
            (announcedTimestamp[keccak256(change)], announcedDelay[keccak256(change)]) = (vm.getBlockTimestamp(), delay);
        }
    }

    function ownerExecutes(uint256 seed) external {
        if (changes.length == 0) return ownerProposes(seed);
        elapse(seed, 1 hours);
        bytes memory change = changes[pick(seed, "change", changes.length)];
        tryCall(Kind.Execute, oracle.owner(), abi.encodeCall(oracle.executeChange, (change)));
    }

    function somebodyCancels(uint256 seed) external {
        if (changes.length == 0) return ownerProposes(seed);
        elapse(seed, 10 minutes);
        bytes memory change = changes[pick(seed, "change", changes.length)];
        address by = pick(seed, "who", 2) == 0 ? oracle.owner() : oracle.guardian();
        tryCall(Kind.CancelChange, by, abi.encodeCall(oracle.cancelChange, (change)));
    }

    function guardianStops(uint256 seed) external {
        elapse(seed, 10 minutes);
        bytes[6] memory calls = [
            abi.encodeCall(oracle.pause, ()),
            abi.encodeCall(oracle.unpause, ()),
            abi.encodeCall(oracle.unpause, ()),
            abi.encodeCall(oracle.voidAccounts, ()),
            abi.encodeCall(oracle.cancelPending, (1)),
            abi.encodeCall(oracle.cancelPending, (2))
        ];
        tryCall(Kind.Guardian, oracle.guardian(), calls[pick(seed, "call", 6)]);
    }

    function guardianUnpauses(uint256 seed) external {
        elapse(seed, 10 minutes);
        tryCall(Kind.Guardian, oracle.guardian(), abi.encodeCall(oracle.unpause, ()));
    }

    function custodianRotates(uint256 seed) external {
        elapse(seed, 2 hours);
        bool isPresent = pick(seed, "present", 8) == 0;
        address to = isPresent ? set.addresses[pick(seed, "place", set.addresses.length)] : newSigner();
        (address from,) = oracle.rotation(CUSTODIAN);
        if (tryCall(Kind.Rotate, CUSTODIAN, abi.encodeCall(oracle.rotateSigner, (signerSet(set), to)))) {
            address[] memory next = set.addresses;
            for (uint256 i = 0; i < next.length; ++i) {
                if (next[i] == from) next[i] = to;
            }
            follow(IMarginOracle.SignerSet(set.threshold, set.stepThreshold, next));
        }
    }

    function newOwnerAccepts(uint256 seed) external {
        elapse(seed, 10 minutes);
        address offered = oracle.pendingOwner();
        // Nobody can call from the address zero.
        tryCall(Kind.Accept, offered == address(0) ? STRANGER : offered, abi.encodeCall(oracle.acceptOwnership, ()));
    }

    /// @dev Stranger, custodian, guardian and owner try what is not theirs.
    function somebodyIntrudes(uint256 seed) external {
        elapse(seed, 10 minutes);
        bytes memory change = drawChange(seed);
        bytes[8] memory calls = [
            change,
            abi.encodeCall(oracle.proposeChange, (change)),
            abi.encodeCall(oracle.executeChange, (changes.length == 0 ? change : changes[0])),
            abi.encodeCall(oracle.pause, ()),
            abi.encodeCall(oracle.unpause, ()),
            abi.encodeCall(oracle.voidAccounts, ()),
            abi.encodeCall(oracle.cancelPending, (1)),
            abi.encodeCall(oracle.rotateSigner, (signerSet(set), newSigner()))
        ];
        uint256 chosen = pick(seed, "call", 8);
        address[4] memory who = [STRANGER, STRANGER, oracle.guardian(), oracle.owner()];
        address by = who[pick(seed, "who", 4)];
        bool isTheirs = (by == who[3] && chosen < 3) || (by == who[2] && chosen > 2 && chosen < 7);
        tryCall(Kind.Intrusion, isTheirs ? STRANGER : by, calls[chosen]);
    }

    function timePasses(uint256 seed) external {
        begin();
        pass(1 + pick(seed, "elapsed", pick(seed, "long", 12) == 0 ? 20 days : 2 hours));
        finish(Kind.Silence, address(0), true, "");
    }

    function sequencerGoesOrComes(uint256 seed) external {
        begin();
        bool isDown = pick(seed, "down", 4) == 0;
        feed.say(isDown ? int256(1) : int256(0), vm.getBlockTimestamp() - pick(seed, "since", 1 hours));
        finish(Kind.Silence, address(0), true, "");
    }

    // ------------------------------------------------------------------ what is drawn

    function pick(uint256 seed, bytes32 what, uint256 count) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, what))) % count;
    }

    function elapse(uint256 seed, uint256 most) internal {
        pass(1 + pick(seed, "elapsed", most));
    }

    /// @dev Most tuples are near those in force, so that many pass.
    function drawReport(uint256 seed) internal view returns (IMarginOracle.Report memory report) {
        report = draft(pick(seed, "both", 4) == 0 ? 1 : 2);
        report.sequence += uint64(pick(seed, "skip", 3));
        uint64 age = uint64(pick(seed, "age", 60));
        report.referenceTimestamp -= age;
        report.exceedsStep = pick(seed, "exceeds", 6) == 0;
        for (uint256 i = 0; i < report.markets.length; ++i) {
            uint256 style = pick(seed, bytes32(i), 5);
            if (style == 0) continue; // back to the defaults
            IMarginOracle.CurrentMargin memory current = oracle.marginUnsafe(uint32(i + 1));
            if (current.referenceTimestamp == 0) continue;
            uint32[6] memory values = valuesOf(current);
            for (uint256 field = 0; field < 6; ++field) {
                values[field] = moved(values[field], style, pick(seed, bytes32(16 * i + field + 2), 12_000));
            }
            report.markets[i] = IMarginOracle.MarketMargin(
                uint32(i + 1), values[0], values[1], values[2], values[3], values[4], values[5]
            );
        }
    }

    /// @dev Style 1 rises, 2 falls, 3 each as it comes, 4 anywhere; slopes and small values move little.
    function moved(uint32 value, uint256 style, uint256 drawn) internal pure returns (uint32) {
        uint256 move = drawn % (value / 8 + 200);
        if (style == 1) return uint32(value + move);
        if (style == 4 && drawn % 5 == 0) return uint32(drawn * 90);
        bool falls = style == 2 || drawn % 3 == 0;
        return falls ? uint32(move > value ? 0 : value - move) : drawn % 3 == 1 ? value : uint32(value + move);
    }

    function drawChange(uint256 seed) internal returns (bytes memory) {
        uint256 kind = pick(seed, "kind", 8);
        uint256 detail = pick(seed, "detail", 4);
        if (kind == 0) return abi.encodeCall(oracle.setSigners, (drawSet(detail)));
        if (kind == 1 || kind == 6) {
            return abi.encodeCall(oracle.grantRotation, (CUSTODIAN, set.addresses[detail % 3]));
        }
        if (kind == 2) {
            address[4] memory guardians = [GUARDIAN, address(0x6A7E), GUARDIAN, GUARDIAN];
            return abi.encodeCall(oracle.setGuardian, (guardians[detail]));
        }
        if (kind == 3) return abi.encodeCall(oracle.setOwnerDelay, (uint32(1 hours + detail * 30 minutes)));
        if (kind == 4) return abi.encodeCall(oracle.transferOwnership, (detail == 0 ? address(0xB0B) : OWNER));
        if (kind == 5) {
            IMarginOracle.MarketConfig memory config = defaultConfig();
            config.initial.maximum = uint32(200_000 + detail * 200_000);
            config.maintenance.minimum = uint32(5_000 + detail * 10_000);
            config.maintenance.fallHourly = uint32(FASTEST_FALL / (1 + detail));
            return abi.encodeCall(oracle.configureMarket, (uint32(1 + detail % 2), "market", config));
        }
        uint24[4] memory dwells = [0, 30 minutes, 1 hours, LONGEST_DWELL];
        return
            abi.encodeCall(
                oracle.setTiming, (IMarginOracle.Timing(2 hours, dwells[detail], uint16(detail * 10 minutes)))
            );
    }

    function drawSet(uint256 detail) internal returns (IMarginOracle.SignerSet memory drawn) {
        uint256 count = 3 + detail % 3;
        uint8 threshold = uint8(count / 2 + 1);
        address[] memory addresses = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            // Half of the time some stay.
            addresses[i] = detail < 2 && i < 2 ? set.addresses[i] : newSigner();
        }
        // Sometimes one that no oracle may take.
        if (detail == 3) threshold = 1;
        return IMarginOracle.SignerSet(threshold, threshold + 1, sorted(addresses));
    }

    function newSigner() internal returns (address signer) {
        signer = vm.addr(++lastKey);
        keyOf[signer] = lastKey;
    }

    function sorted(address[] memory from) internal pure returns (address[] memory) {
        for (uint256 i = 1; i < from.length; ++i) {
            for (uint256 j = i; j > 0 && from[j - 1] > from[j]; --j) {
                (from[j - 1], from[j]) = (from[j], from[j - 1]);
            }
        }
        return from;
    }

    // ------------------------------------------------------------------ acting and remembering

    function post(Kind kind, IMarginOracle.Report memory report, uint256 signatures) internal {
        submit(kind, report, packWith(report, set, uint32((1 << signatures) - 1)), signatures);
    }

    function submit(Kind kind, IMarginOracle.Report memory report, bytes memory packed, uint256 signatures) internal {
        State memory earlier = begin();
        (bool success,) = address(oracle).call(abi.encodeCall(oracle.post, (packed)));
        if (success) ++accepted;
        lastPacked = packed;
        Act memory done;
        (done.kind, done.by, done.success) = (kind, address(this), success);
        (done.report, done.signatures) = (report, signatures);
        _act = abi.encode(done);
        if (success) rememberAsked(earlier, report);
        rememberFalls(earlier);
    }

    function tryCall(Kind kind, address by, bytes memory data) internal returns (bool success) {
        State memory earlier = begin();
        vm.prank(by);
        (success,) = address(oracle).call(data);
        finish(kind, by, success, data);
        rememberFalls(earlier);
        if (!success) return false;
        bytes memory change = kind == Kind.Execute ? carried(data) : data;
        if (bytes4(change) == oracle.setSigners.selector) follow(abi.decode(body(change), (IMarginOracle.SignerSet)));
        rememberDwell();
    }

    function begin() internal returns (State memory earlier) {
        earlier = state();
        _before = abi.encode(earlier);
        former = set;
    }

    function finish(Kind kind, address by, bool success, bytes memory data) internal {
        Act memory done;
        (done.kind, done.by, done.success, done.data) = (kind, by, success, data);
        _act = abi.encode(done);
    }

    /// @notice The change that a call of `executeChange` carries.
    function carried(bytes memory data) public pure returns (bytes memory) {
        return abi.decode(body(data), (bytes));
    }

    /// @dev What comes after the selector.
    function body(bytes memory data) internal pure returns (bytes memory rest) {
        rest = new bytes(data.length - 4);
        for (uint256 i = 0; i < rest.length; ++i) {
            rest[i] = data[i + 4];
        }
    }

    function follow(IMarginOracle.SignerSet memory next) internal {
        address[] memory addresses = sorted(next.signers);
        uint256[] memory keys = new uint256[](addresses.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            keys[i] = keyOf[addresses[i]];
        }
        set = SignerSet(next.threshold, next.stepThreshold, keys, addresses);
    }

    function rememberAsked(State memory earlier, IMarginOracle.Report memory report) internal {
        State memory now_ = state();
        for (uint256 i = 0; i < report.markets.length; ++i) {
            if (keccak256(abi.encode(now_.markets[i])) == keccak256(abi.encode(earlier.markets[i]))) continue;
            if (firstTimestamp[i] == 0) firstTimestamp[i] = now_.markets[i].current.referenceTimestamp;
            _asked[i].push(Asked(vm.getBlockTimestamp(), earlier.timing.dwellSeconds, valuesOf(report.markets[i])));
        }
    }

    function rememberDwell() internal {
        uint256 dwell = oracle.timing().dwellSeconds;
        for (uint256 i = 0; i < MARKETS; ++i) {
            for (uint256 j = 0; j < _asked[i].length; ++j) {
                if (_asked[i][j].shortestDwell > dwell) _asked[i][j].shortestDwell = dwell;
            }
        }
    }

    function rememberFalls(State memory earlier) internal {
        for (uint32 i = 0; i < MARKETS; ++i) {
            uint32[6] memory left = valuesOf(earlier.markets[i].current);
            uint32[6] memory right = valuesOf(oracle.marginUnsafe(i + 1));
            for (uint256 field = 0; field < 6; ++field) {
                if (right[field] < left[field]) fallen[i][field] += left[field] - right[field];
            }
        }
    }
}
