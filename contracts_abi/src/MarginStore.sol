// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {HeadWords} from "./HeadWords.sol";
import {IMarginOracle} from "./IMarginOracle.sol";
import {MarginWords} from "./MarginWords.sol";
import {SequencerUptime} from "./SequencerUptime.sol";

/// @title What the margin oracle stores, and everything that is read from it.
/// @dev Laid out for few writes: a post touches the head (one slot), one of two accounts roots, and one slot for each
/// market. Every read answers for the age of what it returns.
abstract contract MarginStore is IMarginOracle, EIP712 {
    using HeadWords for uint256;

    string public constant VERSION = "1";
    uint256 private constant PPM = 1e6;
    /// @dev One million USD in wad: the unit of notional that a slope is per.
    uint256 private constant SLOPE_NOTIONAL_WAD = 1e24;
    /// @dev Where a tuple's pairs begin; initial's is 0.
    uint256 private constant MAINTENANCE_FIELD = 2;
    uint256 private constant SLOPE_FIELD = 4;

    BlockHashSource public immutable blockHashSource;
    address public immutable sequencerUptimeFeed;
    uint32 public immutable sequencerGraceSeconds;

    bytes32 public signerSetHash;
    uint32 public signerSetEpoch;
    /// @dev See `HeadWords`.
    uint256 internal _head;
    /// @dev At `HeadWords.rootIndex` the latest root, in the other place the one before: a post writes one of the two.
    bytes32[2] internal _accountsRoots;
    mapping(uint32 marketId => MarginWords.Market) internal _markets;

    constructor(Setup memory setup) EIP712("MarginOracle", VERSION) {
        blockHashSource = setup.blockHashSource;
        sequencerUptimeFeed = setup.sequencerUptimeFeed;
        sequencerGraceSeconds = setup.sequencerGraceSeconds;
    }

    // ------------------------------------------------------------------ reading markets

    function margin(uint32 marketId) external view returns (CurrentMargin memory) {
        return MarginWords.unpackTuple(_fresh(marketId));
    }

    function tryMargin(uint32 marketId) external view returns (bool ok, CurrentMargin memory current) {
        current = MarginWords.unpackTuple(_markets[marketId].current);
        ok = current.referenceTimestamp != 0 && _isFresh(current.referenceTimestamp) && _isSequencerUp();
    }

    function marginUnsafe(uint32 marketId) external view returns (CurrentMargin memory) {
        return MarginWords.unpackTuple(_markets[marketId].current);
    }

    function requirement(uint32 marketId, bool isLong, uint256 notionalWad, Purpose purpose)
        external
        view
        returns (uint256 requirementWad)
    {
        uint256 tuple = _posted(marketId);
        uint256 side = isLong ? 0 : 1;
        uint256 ratio;
        if (purpose == Purpose.Liquidating) {
            requireSequencerUp();
            ratio = MarginWords.valueAt(tuple, MAINTENANCE_FIELD + side);
        } else {
            ratio = MarginWords.valueAt(tuple, side);
            if (!_isFresh(MarginWords.time(tuple)) || !_isSequencerUp()) {
                ratio = Math.max(ratio, MarginWords.fallbackInitialPpm(_markets[marketId].firstLimits));
            }
        }
        uint256 slope = MarginWords.valueAt(tuple, SLOPE_FIELD + side);
        return Math.mulDiv(
            notionalWad, ratio * SLOPE_NOTIONAL_WAD + slope * notionalWad, PPM * SLOPE_NOTIONAL_WAD, Math.Rounding.Ceil
        );
    }

    function requireFresh(uint32 marketId) external view {
        _fresh(marketId);
    }

    function requireSequencerUp() public view {
        if (sequencerUptimeFeed == address(0)) return;
        (bool isUp, uint256 until) = SequencerUptime.stateOf(sequencerUptimeFeed, sequencerGraceSeconds);
        if (!isUp) revert SequencerDown();
        if (block.timestamp < until) revert SequencerGracePeriod(until);
    }

    function marketState(uint32 marketId) external view returns (MarketState memory state) {
        uint256 tuple = _markets[marketId].current;
        if (tuple == 0) return state;
        state.current = MarginWords.unpackTuple(tuple);
        if (MarginWords.isPending(tuple)) {
            uint256 pending = _markets[marketId].pending;
            state.pending = MarginWords.unpackTuple(MarginWords.withTime(pending, MarginWords.time(tuple)));
            state.pendingTimestamp = uint40(MarginWords.time(pending));
        }
        uint256 time = MarginWords.time(tuple);
        // A young chain may count fewer seconds than a tuple that never rose says.
        state.lastRiseTimestamp = uint40(time - Math.min(time, MarginWords.roseSecondsBefore(tuple, time)));
        state.isCorrected = MarginWords.isCorrected(tuple);
        state.roundId = MarginWords.roundId(tuple);
    }

    // ------------------------------------------------------------------ reading accounts

    function verifyAccount(AccountLeaf calldata leaf, bytes32[] calldata proof, bool reducesRisk) external view {
        if (!reducesRisk) requireSequencerUp();
        uint256 head = _head;
        bool isLatest = leaf.referenceBlock == head.referenceBlock();
        if (isLatest) {
            uint256 age = block.timestamp - head.referenceTimestamp();
            if (age > head.heartbeatSeconds()) revert Stale(age, head.heartbeatSeconds());
        } else if (!reducesRisk || block.timestamp > head.previousRootUntil()) {
            revert UnknownRoot(leaf.referenceBlock);
        }
        bytes32 root = _accountsRoots[isLatest ? head.rootIndex() : 1 - head.rootIndex()];
        if (root == 0) revert UnknownRoot(leaf.referenceBlock);
        if (!MerkleProof.verifyCalldata(proof, root, hashAccount(leaf))) revert InvalidProof(leaf.accountKey);
    }

    function accountsStale() external view returns (bool) {
        uint256 head = _head;
        return
            _accountsRoots[head.rootIndex()] == 0
                || block.timestamp - head.referenceTimestamp() > head.heartbeatSeconds();
    }

    function hashAccount(AccountLeaf calldata leaf) public view returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(_domainSeparatorV4(), leaf))));
    }

    // ------------------------------------------------------------------ state

    function timing() external view returns (Timing memory) {
        return Timing(_head.heartbeatSeconds(), _head.dwellSeconds(), _head.minimumDelaySeconds());
    }

    function isPaused() external view returns (bool) {
        return _head.isPaused();
    }

    function heartbeatSeconds() external view returns (uint24) {
        return _head.heartbeatSeconds();
    }

    function lastSequence() external view returns (uint64) {
        return _head.sequence();
    }

    function lastReferenceBlock() external view returns (uint64) {
        return _head.referenceBlock();
    }

    function lastReferenceTimestamp() external view returns (uint40) {
        return _head.referenceTimestamp();
    }

    function latestAccounts() external view returns (bytes32 root, uint64 referenceBlock, uint40 referenceTimestamp) {
        return (_accountsRoots[_head.rootIndex()], _head.referenceBlock(), _head.referenceTimestamp());
    }

    function marketConfig(uint32 marketId) external view returns (MarketConfig memory) {
        return MarginWords.unpackLimits(_markets[marketId].firstLimits, _markets[marketId].secondLimits);
    }

    // ------------------------------------------------------------------ inside

    /// @dev The tuple in force, as stored; reverts when there is none.
    function _posted(uint32 marketId) private view returns (uint256 tuple) {
        tuple = _markets[marketId].current;
        if (tuple == 0) {
            if (_markets[marketId].firstLimits == 0) revert UnknownMarket(marketId);
            revert NeverPosted(marketId);
        }
    }

    /// @dev The tuple in force, young enough and with everybody able to act on it.
    function _fresh(uint32 marketId) internal view returns (uint256 tuple) {
        tuple = _posted(marketId);
        uint256 heartbeat = _head.heartbeatSeconds();
        uint256 age = block.timestamp - MarginWords.time(tuple);
        if (age > heartbeat) revert Stale(age, heartbeat);
        requireSequencerUp();
    }

    function _isSequencerUp() private view returns (bool) {
        if (sequencerUptimeFeed == address(0)) return true;
        (bool isUp, uint256 until) = SequencerUptime.stateOf(sequencerUptimeFeed, sequencerGraceSeconds);
        return isUp && block.timestamp >= until;
    }

    function _isFresh(uint256 referenceTimestamp) private view returns (bool) {
        return block.timestamp - referenceTimestamp <= _head.heartbeatSeconds();
    }
}
