// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {AggregatorV3Interface} from "../AggregatorV3Interface.sol";

/// @title A price feed that its owner pushes, for local chains.
/// @notice USD with 8 decimals. Rounds count from 1 and stay readable, so that history can be taken from the chain.
contract DemoFeed is AggregatorV3Interface, Ownable2Step {
    struct Round {
        int192 answer;
        uint40 updatedAt;
    }

    uint8 public constant decimals = 8;
    uint256 public constant version = 1;
    string public description;
    Round[] private _rounds;

    event AnswerUpdated(int256 indexed answer, uint256 indexed roundId, uint256 updatedAt);

    error NoDataPresent(uint80 roundId);
    error RoundOutOfOrder(uint40 last, uint40 offered);
    error RoundInFuture(uint40 offered, uint256 blockTimestamp);
    error AnswerOutOfRange(int256 answer);
    error LengthsDiffer(uint256 answers, uint256 times);

    constructor(address owner, string memory description_) Ownable(owner) {
        description = description_;
    }

    /// @notice Adds a round. Bad answers (zero, negative) are let through on purpose: consumers must refuse them.
    function push(int256 answer, uint40 updatedAt) external onlyOwner {
        _push(answer, updatedAt);
    }

    /// @notice Adds rounds in time order.
    function pushMany(int256[] calldata answers, uint40[] calldata times) external onlyOwner {
        if (answers.length != times.length) revert LengthsDiffer(answers.length, times.length);
        for (uint256 i = 0; i < answers.length; ++i) {
            _push(answers[i], times[i]);
        }
    }

    /// @inheritdoc AggregatorV3Interface
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return getRoundData(uint80(_rounds.length));
    }

    /// @inheritdoc AggregatorV3Interface
    function getRoundData(uint80 roundId)
        public
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        if (roundId == 0 || roundId > _rounds.length) revert NoDataPresent(roundId);
        Round memory round = _rounds[roundId - 1];
        return (roundId, round.answer, round.updatedAt, round.updatedAt, roundId);
    }

    function _push(int256 answer, uint40 updatedAt) private {
        if (updatedAt > block.timestamp) revert RoundInFuture(updatedAt, block.timestamp);
        if (answer != int192(answer)) revert AnswerOutOfRange(answer);
        uint256 count = _rounds.length;
        if (count > 0 && updatedAt < _rounds[count - 1].updatedAt) {
            revert RoundOutOfOrder(_rounds[count - 1].updatedAt, updatedAt);
        }
        _rounds.push(Round(int192(answer), updatedAt));
        emit AnswerUpdated(answer, count + 1, updatedAt);
    }
}
