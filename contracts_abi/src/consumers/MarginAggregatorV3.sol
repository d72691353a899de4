// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AggregatorV3Interface} from "../AggregatorV3Interface.sol";
import {IMarginOracle} from "../IMarginOracle.sol";
import {MarginFigures} from "./MarginFigures.sol";

/// @title One figure of one market in the shape of a Chainlink feed.
/// @notice The answer is a fraction of notional with 6 decimals (a slope: that per million USD). The latest round is
/// read from the margin oracle and reverts where `margin` does, so that nobody has to check its age. A round's times
/// are both its reference time. Ids are those of the margin oracle behind phase 1; they increase but leave gaps, so
/// the round before is found by `previousRoundId`, not by subtracting one.
contract MarginAggregatorV3 is AggregatorV3Interface {
    using MarginFigures for IMarginOracle.CurrentMargin;

    struct Round {
        uint80 id;
        uint40 updatedAt;
        uint32 answer;
    }

    uint8 public constant decimals = 6;
    uint256 public constant version = 1;
    uint80 private constant PHASE = 1 << 64;

    IMarginOracle public immutable oracle;
    uint32 public immutable marketId;
    MarginFigures.Figure public immutable figure;
    string public description;

    Round private _lastRecorded;
    Round private _recordedBefore;

    /// @dev Chainlink's own event, emitted for what is recorded.
    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    error AlreadyRecorded(uint80 roundId);

    constructor(IMarginOracle oracle_, uint32 marketId_, MarginFigures.Figure figure_, string memory description_) {
        if (!oracle_.marketConfig(marketId_).exists) revert IMarginOracle.UnknownMarket(marketId_);
        oracle = oracle_;
        marketId = marketId_;
        figure = figure_;
        description = description_;
    }

    /// @notice Remembers the round in force, so that it can still be asked for when the next one has come. Anyone may;
    /// the margin oracle keeps no history of its own.
    function record() external {
        Round memory current = _current();
        if (current.id == 0) revert IMarginOracle.NeverPosted(marketId);
        if (current.id == _lastRecorded.id) revert AlreadyRecorded(current.id);
        _recordedBefore = _lastRecorded;
        _lastRecorded = current;
        emit AnswerUpdated(int256(uint256(current.answer)), current.id, current.updatedAt);
    }

    /// @inheritdoc AggregatorV3Interface
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        oracle.requireFresh(marketId);
        return _data(_current());
    }

    /// @inheritdoc AggregatorV3Interface
    /// @dev Answers for the round in force, whatever its age, and for the last other one that was recorded.
    function getRoundData(uint80 roundId) external view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory round = _current();
        if (roundId != round.id) round = _previous(round);
        // Chainlink's words.
        require(roundId != 0 && roundId == round.id, "No data present");
        return _data(round);
    }

    /// @notice The last recorded round that is not in force any more; 0 when there is none.
    function previousRoundId() external view returns (uint80) {
        return _previous(_current()).id;
    }

    /// @dev All zeros before the first post.
    function _current() private view returns (Round memory round) {
        IMarginOracle.MarketState memory state = oracle.marketState(marketId);
        if (state.roundId == 0) return round;
        return Round(PHASE | state.roundId, state.current.referenceTimestamp, state.current.figureOf(figure));
    }

    function _previous(Round memory current) private view returns (Round memory) {
        return _lastRecorded.id == current.id ? _recordedBefore : _lastRecorded;
    }

    function _data(Round memory round) private pure returns (uint80, int256, uint256, uint256, uint80) {
        return (round.id, int256(uint256(round.answer)), round.updatedAt, round.updatedAt, round.id);
    }
}
