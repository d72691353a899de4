// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AggregatorV3Interface} from "../AggregatorV3Interface.sol";

/// @title The price of a feed in USD wad, or a revert: never one that is not positive, too old or from the future.
library FeedPrice {
    error BadPrice(address feed, int256 answer);
    error StalePrice(address feed, uint256 updatedAt);

    /// @notice The last price.
    /// @param maximumAgeSeconds The feed's own heartbeat and some slack; it differs from feed to feed.
    function latestWad(AggregatorV3Interface feed, uint256 maximumAgeSeconds) internal view returns (uint256) {
        (, int256 answer,, uint256 updatedAt,) = feed.latestRoundData();
        if (updatedAt > block.timestamp || block.timestamp - updatedAt > maximumAgeSeconds) {
            revert StalePrice(address(feed), updatedAt);
        }
        return toWad(feed, answer);
    }

    /// @notice An answer of the feed in USD wad; exact, since no feed has more than 18 decimals.
    function toWad(AggregatorV3Interface feed, int256 answer) internal view returns (uint256) {
        if (answer <= 0) revert BadPrice(address(feed), answer);
        return uint256(answer) * 10 ** (18 - feed.decimals());
    }
}
