# archsearch in a container, for NVIDIA GPUs or for the CPU:
#
#   docker build --tag archsearch:gpu .
#   docker build --tag archsearch:cpu --build-arg EXTRA=cpu .
#
# It needs no user of its own, no home and no root file system that can be written. Results go to /work:
#
#   docker run --rm --read-only --tmpfs /tmp --user "$(id -u):$(id -g)" --volume "$PWD:/work" \
#       archsearch:cpu run space.yaml
#
# The default is the version of Python by which the versions in constraints.txt were tested.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

# cpu or gpu: the extras of pyproject.toml. The images for GPUs bring CUDA along; of the node they need the driver.
ARG EXTRA=gpu

# What .dockerignore lets through: the package, and the spaces that are bundled with it.
COPY . /src
# The constraint in a variable holds for what builds the package, too, which an option would not reach.
RUN PIP_CONSTRAINT=/src/constraints.txt pip install --no-cache-dir "/src[${EXTRA}]" && rm -r /src

# By its number: Kubernetes can't tell of a name that it is not root.
RUN groupadd --gid 10001 archsearch \
    && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home archsearch \
    && install --directory --owner 10001 --group 10001 /work
USER 10001:10001

# Caches of libraries go to the only place that can be written besides /work, whoever the user is.
ENV HOME=/tmp

WORKDIR /work
# In this form the command is the first process, which is the one that is told to stop.
ENTRYPOINT ["archsearch"]
CMD ["--help"]
