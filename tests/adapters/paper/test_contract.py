import pytest

from swarm.testing.contracts.venue import VenueContract


class TestPaperVenue(VenueContract):
    @pytest.fixture
    def world(self, ground):
        return ground


class TestSocketVenue(VenueContract):
    @pytest.fixture
    def world(self, socket_ground):
        return socket_ground
