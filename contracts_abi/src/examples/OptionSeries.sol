// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {AggregatorV3Interface} from "../AggregatorV3Interface.sol";
import {FeedPrice} from "./FeedPrice.sol";

/// @title The series of an options vault: which market of the margin oracle each belongs to, and what it pays.
/// @notice Any strike and any expiry within the longest tenor may be traded. A series belongs to the market of its
/// side and of the first tenor that reaches its expiry; it moves to a shorter one as time passes.
abstract contract OptionSeries {
    using FeedPrice for AggregatorV3Interface;

    struct Series {
        bool isCall;
        uint40 expiry;
        uint128 strikeWad;
    }

    /// @notice Markets of the margin oracle for options of up to a tenor.
    struct Bucket {
        uint40 maximumTenorSeconds;
        uint32 callMarketId;
        uint32 putMarketId;
    }

    AggregatorV3Interface public immutable priceFeed;
    uint256 public immutable maximumPriceAgeSeconds;
    /// @notice USD wad; 0 until settled.
    mapping(uint40 expiry => uint256) public settlementPriceWad;
    Bucket[] private _buckets;

    event Settled(uint40 indexed expiry, uint256 priceWad, uint80 roundId);

    error BucketsNotAscending();
    error NoStrike();
    error NoMarket(uint40 expiry);
    error Expired(uint40 expiry);
    error AwaitingSettlement(uint40 expiry);
    error CannotSettle(uint40 expiry);
    error NotTheLastRoundBeforeExpiry(uint80 roundId);

    /// @param buckets Tenors strictly ascending.
    constructor(AggregatorV3Interface priceFeed_, uint256 maximumPriceAgeSeconds_, Bucket[] memory buckets) {
        priceFeed = priceFeed_;
        maximumPriceAgeSeconds = maximumPriceAgeSeconds_;
        for (uint256 i = 0; i < buckets.length; ++i) {
            if (i > 0 && buckets[i].maximumTenorSeconds <= buckets[i - 1].maximumTenorSeconds) {
                revert BucketsNotAscending();
            }
            _buckets.push(buckets[i]);
        }
    }

    // ------------------------------------------------------------------ settlement

    /// @notice Fixes the price of an expiry, once. Anyone may call with the last round stamped at or before expiry,
    /// which the round after it proves. Where that round was too old at expiry, the one after it gives the price. The feed
    /// must count its rounds without gaps.
    function settle(uint40 expiry, uint80 roundId) external {
        if (settlementPriceWad[expiry] != 0 || block.timestamp <= expiry) revert CannotSettle(expiry);
        (, int256 answer,, uint256 updatedAt,) = priceFeed.getRoundData(roundId);
        (, int256 nextAnswer,, uint256 nextUpdatedAt,) = priceFeed.getRoundData(roundId + 1);
        if (updatedAt == 0 || updatedAt > expiry || nextUpdatedAt <= expiry) {
            revert NotTheLastRoundBeforeExpiry(roundId);
        }
        bool isYoung = expiry - updatedAt <= maximumPriceAgeSeconds;
        uint256 price = priceFeed.toWad(isYoung ? answer : nextAnswer);
        settlementPriceWad[expiry] = price;
        emit Settled(expiry, price, roundId);
    }

    // ------------------------------------------------------------------ reading

    function seriesId(Series memory series) public pure returns (bytes32) {
        return keccak256(abi.encode(series));
    }

    function spotWad() public view returns (uint256) {
        return priceFeed.latestWad(maximumPriceAgeSeconds);
    }

    function isSettled(Series memory series) public view returns (bool) {
        return settlementPriceWad[series.expiry] != 0;
    }

    /// @notice The market of the margin oracle that a series belongs to now.
    function marketOf(Series memory series) public view returns (uint32) {
        uint256 tenor = series.expiry > block.timestamp ? series.expiry - block.timestamp : 0;
        for (uint256 i = 0; i < _buckets.length; ++i) {
            if (tenor <= _buckets[i].maximumTenorSeconds) {
                return series.isCall ? _buckets[i].callMarketId : _buckets[i].putMarketId;
            }
        }
        revert NoMarket(series.expiry);
    }

    /// @notice What a unit pays: at the settlement price, until expiry at spot, and nothing is said in between.
    function payoffWad(Series memory series) public view returns (uint256) {
        uint256 price = settlementPriceWad[series.expiry];
        if (price == 0) {
            if (block.timestamp > series.expiry) revert AwaitingSettlement(series.expiry);
            price = spotWad();
        }
        uint256 strike = series.strikeWad;
        return series.isCall ? Math.saturatingSub(price, strike) : Math.saturatingSub(strike, price);
    }

    function _requireOpen(Series memory series) internal view {
        if (series.strikeWad == 0) revert NoStrike();
        if (block.timestamp >= series.expiry) revert Expired(series.expiry);
        marketOf(series);
    }
}
