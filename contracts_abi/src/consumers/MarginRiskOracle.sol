// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IMarginOracle} from "../IMarginOracle.sol";
import {IRiskOracle} from "./IRiskOracle.sol";
import {MarginFigures} from "./MarginFigures.sol";
import {RiskContents} from "./RiskContents.sol";

/// @title The margin oracle for consumers of the ChaosLabs RiskOracle interface.
/// @notice The owner says once which figure goes by which type and market, a binding; anyone publishes what the margin
/// oracle has in force. Nobody sets a number here, and nobody stamps an old one anew: a binding is published again only
/// from a newer round, be its value the same or not.
///
/// What a consumer may rely on:
/// - the last update of a type and market is served only while its figures are at most a heartbeat old by their
///   reference time, the margin oracle itself would answer, and no dearer figure is in force;
/// - a binding that was published never means anything else; it can only be removed, and then has no last update;
/// - ids begin above `initialUpdateId` and strictly increase; an update by its id stays readable for good.
/// What the owner is trusted with: that a new binding has the right market. An owner that resigns freezes the table.
contract MarginRiskOracle is IRiskOracle, Ownable2Step {
    using RiskContents for RiskContents.Content;
    using SafeCast for uint256;

    /// @param market As the consumer names it: a GMX market token, an Aave e-mode id.
    /// @param marketId As the margin oracle names it.
    /// @param liquidationBonusBps For an Aave category, above 0, without the 100 %; 0 for all others.
    /// @param updateType 1 to 64 bytes.
    struct Binding {
        address market;
        uint32 marketId;
        RiskContents.Content content;
        uint16 liquidationBonusBps;
        string updateType;
    }

    struct Stream {
        uint64 latestUpdateId;
        bool isRemoved;
    }

    /// @dev One slot: strings and constants are its binding's. `first` and `second` are as in `RiskContents`.
    struct Update {
        uint32 bindingId;
        uint40 timestamp;
        uint48 roundId;
        uint32 first;
        uint32 second;
        uint64 previousUpdateId;
    }

    uint256 private constant UPDATE_TYPE_MAXIMUM_BYTES = 64;
    /// @dev A round's id is its reference time times 64, plus an ordinal.
    uint256 private constant ROUND_TIME_SHIFT = 6;

    IMarginOracle public immutable oracle;
    /// @notice The first update has the id after this one.
    uint64 public immutable initialUpdateId;
    string public description;
    uint256 public updateCounter;
    /// @notice Bindings have the ids from 1 to this.
    uint32 public bindingCount;

    mapping(uint256 bindingId => Binding) private _bindings;
    mapping(uint256 bindingId => Stream) private _streams;
    mapping(uint256 updateId => Update) private _updates;
    mapping(address market => mapping(string updateType => uint256)) private _bindingIds;
    string[] private _updateTypes;
    mapping(string updateType => bool) private _isUpdateType;

    event BindingAdded(uint256 indexed bindingId, Binding binding);
    event BindingRemoved(uint256 indexed bindingId);

    error NothingNewer();
    error UnknownBinding(uint256 bindingId);
    error RemovedBinding(uint256 bindingId);
    error AlreadyBound(string updateType, address market);
    error InvalidUpdateTypeLength(uint256 length, uint256 maximum);
    error NotAnEModeCategory(address market);
    error InvalidLiquidationBonus(uint16 liquidationBonusBps);
    /// @notice A dearer margin is in force than was published; `publish` the binding.
    error BelowMarginInForce(uint256 bindingId, uint256 updateId);

    /// @param initialUpdateId_ The largest id that a consumer has seen: `updateCounter` of the oracle that this one
    /// replaces, and for GMX the uint at SYNC_CONFIG_LATEST_UPDATE_ID, whichever is larger. A consumer silently passes
    /// over ids that it has marked as done.
    constructor(IMarginOracle oracle_, address owner, uint64 initialUpdateId_, string memory description_)
        Ownable(owner)
    {
        oracle = oracle_;
        initialUpdateId = initialUpdateId_;
        updateCounter = initialUpdateId_;
        description = description_;
    }

    // ------------------------------------------------------------------ publishing

    /// @notice Publishes what is in force for some bindings. A binding whose round is published already is passed over,
    /// so that nobody breaks a batch by being first; reverts when nothing is left, and when any of the figures is stale.
    /// @return published Count of updates.
    function publish(uint256[] calldata bindingIds) external returns (uint256 published) {
        for (uint256 i = 0; i < bindingIds.length; ++i) {
            if (_publish(bindingIds[i])) ++published;
        }
        if (published == 0) revert NothingNewer();
    }

    // ------------------------------------------------------------------ reading

    /// @inheritdoc IRiskOracle
    /// @dev Also reverts where the figure must not be acted on: `Stale`, `SequencerDown` and the like of the margin
    /// oracle, `BelowMarginInForce`. Consumers treat any revert as "nothing to do".
    function getLatestUpdateByParameterAndMarket(string memory updateType, address market)
        external
        view
        returns (RiskParameterUpdate memory)
    {
        uint256 updateId = latestUpdateIdByMarketAndType(market, updateType);
        // The words of the original, here and below: its tools look for them.
        require(updateId != 0, "No update found for the specified parameter and market.");
        _requireInForce(updateId);
        return _compose(updateId);
    }

    /// @inheritdoc IRiskOracle
    /// @dev Whatever its age, and after its binding was removed: this is history.
    function getUpdateById(uint256 updateId) external view returns (RiskParameterUpdate memory) {
        require(updateId > initialUpdateId && updateId <= updateCounter, "Invalid update ID.");
        return _compose(updateId);
    }

    /// @inheritdoc IRiskOracle
    function latestUpdateIdByMarketAndType(address market, string memory updateType) public view returns (uint256) {
        Stream memory stream = _streams[_bindingIds[market][updateType]];
        return stream.isRemoved ? 0 : stream.latestUpdateId;
    }

    /// @notice Every type that was ever bound, in the order in which it first was.
    function getAllUpdateTypes() external view returns (string[] memory) {
        return _updateTypes;
    }

    /// @notice False for everyone: anyone may `publish`, but nobody a value of its own.
    function isAuthorized(address) external pure returns (bool) {
        return false;
    }

    /// @notice A binding, with its last update (0 before the first) and whether it was removed.
    function bindingAt(uint256 bindingId)
        external
        view
        returns (Binding memory binding, uint64 latestUpdateId, bool isRemoved)
    {
        binding = _existing(bindingId);
        Stream memory stream = _streams[bindingId];
        return (binding, stream.latestUpdateId, stream.isRemoved);
    }

    /// @notice Id of the binding of a type and market; 0 when there is none. A removed one keeps its name where it was
    /// published.
    function bindingIdOf(string calldata updateType, address market) external view returns (uint256) {
        return _bindingIds[market][updateType];
    }

    // ------------------------------------------------------------------ owner

    /// @notice Names a figure for consumers. A name that was published under is never given again.
    function addBinding(Binding calldata binding) external onlyOwner returns (uint256 bindingId) {
        return _addBinding(binding);
    }

    /// @notice Adds the six figures of a market under their generic types.
    /// @param market Where to find them; `address(uint160(marketId))` unless there is a reason for another.
    function addGenericBindings(uint32 marketId, address market) external onlyOwner {
        for (uint8 i = 0; i < RiskContents.GENERIC_COUNT; ++i) {
            string memory updateType = RiskContents.genericUpdateType(MarginFigures.Figure(i));
            _addBinding(Binding(market, marketId, RiskContents.Content(i), 0, updateType));
        }
    }

    /// @notice Ends a binding: its type and market have no last update from here on. One that was never published
    /// gives its name back.
    function removeBinding(uint256 bindingId) external onlyOwner {
        Binding memory binding = _active(bindingId);
        _streams[bindingId].isRemoved = true;
        if (_streams[bindingId].latestUpdateId == 0) delete _bindingIds[binding.market][binding.updateType];
        emit BindingRemoved(bindingId);
    }

    // ------------------------------------------------------------------ inside

    /// @return isNewer False, and nothing done, where the round in force is published already.
    function _publish(uint256 bindingId) private returns (bool isNewer) {
        Binding memory binding = _active(bindingId);
        oracle.requireFresh(binding.marketId);
        IMarginOracle.MarketState memory state = oracle.marketState(binding.marketId);
        uint64 previousUpdateId = _streams[bindingId].latestUpdateId;
        if (state.roundId <= _updates[previousUpdateId].roundId) return false;
        uint256 updateId = ++updateCounter;
        (uint32 first, uint32 second) = binding.content.figuresOf(state.current);
        _updates[updateId] = Update({
            bindingId: uint32(bindingId),
            timestamp: uint40(block.timestamp),
            roundId: uint256(state.roundId).toUint48(),
            first: first,
            second: second,
            previousUpdateId: previousUpdateId
        });
        _streams[bindingId].latestUpdateId = updateId.toUint64();
        _announce(_compose(updateId));
        return true;
    }

    function _announce(RiskParameterUpdate memory update) private {
        emit ParameterUpdated(
            update.referenceId,
            update.newValue,
            update.previousValue,
            update.timestamp,
            update.updateType,
            update.updateId,
            update.market,
            update.additionalData
        );
    }

    function _compose(uint256 updateId) private view returns (RiskParameterUpdate memory composed) {
        Update memory update = _updates[updateId];
        Binding memory binding = _bindings[update.bindingId];
        composed.timestamp = update.timestamp;
        composed.newValue = _valueOf(update, binding);
        composed.referenceId = Strings.toString(update.roundId);
        if (update.previousUpdateId != 0) {
            composed.previousValue = _valueOf(_updates[update.previousUpdateId], binding);
        }
        composed.updateType = binding.updateType;
        composed.updateId = updateId;
        composed.market = binding.market;
        composed.additionalData = binding.content.additionalData(binding.market);
    }

    function _valueOf(Update memory update, Binding memory binding) private pure returns (bytes memory) {
        return binding.content.encodeValue(update.first, update.second, binding.liquidationBonusBps);
    }

    function _requireInForce(uint256 updateId) private view {
        Update memory update = _updates[updateId];
        Binding storage binding = _bindings[update.bindingId];
        (uint32 first, uint32 second) = binding.content.figuresOf(oracle.margin(binding.marketId));
        if (update.first < first || update.second < second) revert BelowMarginInForce(update.bindingId, updateId);
        uint256 ageSeconds = block.timestamp - (update.roundId >> ROUND_TIME_SHIFT);
        uint256 heartbeatSeconds = oracle.heartbeatSeconds();
        if (ageSeconds > heartbeatSeconds) revert IMarginOracle.Stale(ageSeconds, heartbeatSeconds);
    }

    function _addBinding(Binding memory binding) private returns (uint256 bindingId) {
        _requireSound(binding);
        if (_bindingIds[binding.market][binding.updateType] != 0) {
            revert AlreadyBound(binding.updateType, binding.market);
        }
        bindingId = ++bindingCount;
        _bindings[bindingId] = binding;
        _bindingIds[binding.market][binding.updateType] = bindingId;
        if (!_isUpdateType[binding.updateType]) {
            _isUpdateType[binding.updateType] = true;
            _updateTypes.push(binding.updateType);
        }
        emit BindingAdded(bindingId, binding);
    }

    function _requireSound(Binding memory binding) private view {
        uint256 length = bytes(binding.updateType).length;
        if (length == 0 || length > UPDATE_TYPE_MAXIMUM_BYTES) {
            revert InvalidUpdateTypeLength(length, UPDATE_TYPE_MAXIMUM_BYTES);
        }
        if (!oracle.marketConfig(binding.marketId).exists) revert IMarginOracle.UnknownMarket(binding.marketId);
        bool isAave = binding.content == RiskContents.Content.AaveEModeCategory;
        if (isAave != (binding.liquidationBonusBps != 0)) revert InvalidLiquidationBonus(binding.liquidationBonusBps);
        uint160 category = uint160(binding.market);
        // Category 0 is the absence of one.
        if (isAave && (category == 0 || category > type(uint8).max)) revert NotAnEModeCategory(binding.market);
    }

    function _existing(uint256 bindingId) private view returns (Binding memory) {
        if (bindingId == 0 || bindingId > bindingCount) revert UnknownBinding(bindingId);
        return _bindings[bindingId];
    }

    function _active(uint256 bindingId) private view returns (Binding memory) {
        if (_streams[bindingId].isRemoved) revert RemovedBinding(bindingId);
        return _existing(bindingId);
    }
}
